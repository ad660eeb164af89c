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
  readonly trace?: TraceContext | undefined;
}

export interface Reranked {
  /** Signals by cover id; a cover that was not reached has none. */
  readonly signals: ReadonlyMap<string, Signals>;
  readonly degraded: Degradation | undefined;
}

/** Kept back of the deadline for fusing and for writing the answer. */
const FINISH_MS = 2;

/**
 * Scores covers chunk by chunk in recall order until all that the load leaves room for are done or what is left of the
 * deadline cannot hold another chunk. A chunk that fails or comes too late ends the work; what was scored before it
 * stands, and `degraded` says why.
 */
export async function rerank(job: RerankJob, crossEncoder: CrossEncoder, index: CoverIndex): Promise<Reranked> {
  const { ids: wanted, share = 1, deadline, trace } = job;
  const ids = wanted.slice(0, Math.ceil(wanted.length * share));
  const signals = new Map<string, Signals>();
  const stopped = (reason: DegradationReason): Reranked => ({
    signals,
    degraded: { stage: 'rerank', reason, reranked: signals.size, wanted: wanted.length },
  });

  const query = crossEncoder.prepare(job.query);
  for (let next = 0; next < ids.length; ) {
    const size = fittingChunk(ids.length - next, crossEncoder, deadline.remainingMs() - FINISH_MS);
    if (size === 0) return stopped('deadline_exceeded');
    const chunk = ids.slice(next, next + size);
    next += size;
    try {
      const covers = withTokens(chunk, index);
      if (covers.length === 0) continue;
      const tokens = covers.map((cover) => cover.tokens);
      const remainingMs = deadline.remainingMs() - FINISH_MS;
      const scoring = crossEncoder.score(query, tokens, deadline.signal, { remainingMs, trace });
      const scores = await untilAborted(scoring, deadline.signal);
      covers.forEach(({ id }, position) => {
        signals.set(id, scores[position] ?? {});
      });
    } catch (error) {
      if (isFailure(error, 'cancelled')) throw error;
      return stopped(reasonOf(error));
    }
  }
  return ids.length < wanted.length ? stopped('overloaded') : { signals, degraded: undefined };
}

/** The largest chunk that is expected to finish in time; 0 when not even one pair is. */
function fittingChunk(left: number, crossEncoder: CrossEncoder, remainingMs: number): number {
  if (remainingMs <= 0) return 0;
  let size = Math.min(left, crossEncoder.chunkSize);
  while (size > 0 && crossEncoder.estimateMs(size) > remainingMs) size = Math.floor(size / 2);
  return size;
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
