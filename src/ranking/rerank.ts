import { setImmediate } from 'node:timers/promises';
import { untilAborted } from '../core/abort.ts';
import { isFailure } from '../core/errors.ts';
import type { CoverIndex, CrossEncoder } from '../core/ports.ts';
import type { Degradation, DegradationReason, ImageTokens, Signals, TraceContext } from '../core/types.ts';
import type { Deadline } from './deadline.ts';

export interface RerankJob {
  readonly query: string;
  /** Covers that have image tokens, best first by recall. */
  readonly ids: readonly string[];
  /** Share of them that the load leaves room for, 0 to 1. Default: 1. */
  readonly share?: number;
  readonly deadline: Deadline;
  /** What is left of work on other queries' texts, in milliseconds. Default: none. */
  readonly textsAheadMs?: () => number;
  readonly trace?: TraceContext | undefined;
}

export interface Reranked {
  /** Signals by cover id; a cover that was not reached has none. */
  readonly signals: ReadonlyMap<string, Signals>;
  readonly degraded: Degradation | undefined;
}

interface Scored {
  readonly id: string;
  readonly signals: Signals;
}

/** Kept back of the deadline for fusing and for the answer's way, on a machine whose cores are all at work. */
const FINISH_MS = 8;

/**
 * Scores covers chunk by chunk in recall order until all that the load leaves room for are done or what is left of the
 * deadline cannot hold another chunk. While a chunk is scored, the tokens of the next are read and it waits its turn. A
 * chunk that fails or comes too late ends the work; what was scored before it stands, and `degraded` says why.
 */
export async function rerank(job: RerankJob, crossEncoder: CrossEncoder, index: CoverIndex): Promise<Reranked> {
  const deadline = job.deadline.sooner(FINISH_MS);
  try {
    return await scoreInOrder({ ...job, deadline }, crossEncoder, index);
  } finally {
    deadline.clear();
  }
}

async function scoreInOrder(job: RerankJob, crossEncoder: CrossEncoder, index: CoverIndex): Promise<Reranked> {
  const { ids: wanted, share = 1, deadline, textsAheadMs = () => 0, trace } = job;
  const ids = wanted.slice(0, Math.ceil(wanted.length * share));
  const query = crossEncoder.prepare(job.query);
  const signals = new Map<string, Signals>();
  const over = new AbortController();
  const signal = AbortSignal.any([deadline.signal, over.signal]);
  let next = 0;

  function scoreNext(): Promise<readonly Scored[]> | undefined {
    const remainingMs = deadline.remainingMs();
    const size = remainingMs > 0 ? crossEncoder.fittingPairs(ids.length - next, remainingMs, textsAheadMs()) : 0;
    if (size === 0) return undefined;
    const scored = untilAborted(score(ids.slice(next, next + size), remainingMs), signal);
    next += size;
    // When one before it has failed, nobody hears of it any more.
    scored.catch(() => {});
    return scored;
  }

  async function score(chunk: readonly string[], remainingMs: number): Promise<readonly Scored[]> {
    const covers = withTokens(chunk, index);
    const tokens = covers.map((cover) => cover.tokens);
    const scores = await crossEncoder.score(query, tokens, signal, { remainingMs, trace });
    return covers.map(({ id }, position) => ({ id, signals: scores[position] ?? {} }));
  }

  function stopped(reason: DegradationReason): Reranked {
    return { signals, degraded: { stage: 'rerank', reason, reranked: signals.size, wanted: wanted.length } };
  }

  let scoring = scoreNext();
  while (scoring !== undefined) {
    // Tokens are megabytes: others get their turn before the next ones are read.
    await setImmediate();
    const following = scoreNext();
    try {
      for (const scored of await scoring) signals.set(scored.id, scored.signals);
    } catch (error) {
      over.abort();
      if (isFailure(error, 'cancelled')) throw error;
      return stopped(reasonOf(error));
    }
    scoring = following ?? scoreNext();
  }
  if (next < ids.length) return stopped('deadline_exceeded');
  return ids.length < wanted.length ? stopped('overloaded') : { signals, degraded: undefined };
}

/** A cover that was deleted or re-indexed since recall may have no tokens any more. */
function withTokens(ids: readonly string[], index: CoverIndex): { id: string; tokens: ImageTokens }[] {
  const found = index.tokens(ids);
  return ids.flatMap((id, position) => {
    const tokens = found[position];
    return tokens === undefined ? [] : [{ id, tokens }];
  });
}

function reasonOf(error: unknown): DegradationReason {
  if (!isFailure(error)) return 'error';
  if (error.code === 'deadline_exceeded' || error.code === 'overloaded' || error.code === 'unavailable')
    return error.code;
  return 'error';
}
