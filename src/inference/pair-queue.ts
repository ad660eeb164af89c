import { abortFailure } from '../core/abort.ts';
import { failure } from '../core/errors.ts';
import type { PreparedQuery } from '../core/ports.ts';
import type { ImageTokens, Signals, TraceContext } from '../core/types.ts';
import { evenPortion } from './chunk-size.ts';

/** Pairs of one query that are asked for together. */
export interface PairJob {
  readonly query: PreparedQuery;
  readonly images: readonly ImageTokens[];
  /** Ends the job. Jobs under one signal are one caller's: they come and go together, and share that caller's turns. */
  readonly signal: AbortSignal;
  /** When the answer is of no use any more, on the clock of `performance.now()`; Infinity where it always is. */
  readonly deadlineAt: number;
  readonly trace?: TraceContext | undefined;
}

/** Some pairs of one job. */
export type PairSlice = Pick<PairJob, 'query' | 'images' | 'trace'>;

/** What runs at once. */
export interface PairBatch {
  readonly slices: readonly PairSlice[];
  readonly pairs: number;
  /** Fires when nobody waits for any of it any more, with the reason of the last who left. */
  readonly signal: AbortSignal;
  /** The latest deadline of those who wait for it. */
  readonly deadlineAt: number;
}

export interface PairQueueOptions {
  /** Named in errors. */
  readonly name: string;
  /** Callers that may wait; one more is refused as `overloaded`. */
  readonly maxQueued: number;
  /** Batches that may run side by side. */
  readonly maxInFlight: number;
  /** Most pairs of a batch, as of now. */
  readonly batchPairs: () => number;
  /** One entry per pair, slice after slice. */
  readonly run: (batch: PairBatch) => Promise<readonly Signals[]>;
  /** The clock of deadlines. */
  readonly now?: () => number;
}

/** Milliseconds without a run after which an estimate is worth a doubt. */
const RESTED_AFTER_MS = 1_000;

export interface PairQueue {
  /**
   * One Signals per image, in order. Rejects with `overloaded` when too many wait, with `deadline_exceeded` when the
   * deadline passes before the turn, with the signal's reason when it fires, as `run` does for any of its pairs, and
   * with `internal` when one of its scores is not finite: others of the same batch keep theirs.
   */
  submit(job: PairJob): Promise<readonly Signals[]>;
  /** Batches that run, and the pairs in them. */
  running(): { readonly batches: number; readonly pairs: number };
  /**
   * Whether nothing runs, and nothing has for a second. Whoever estimates from runs, and lets nothing run that would take
   * too long, never learns that a slow moment is over: then one pair should be let through against the estimate.
   */
  isRested(): boolean;
  /** Pairs that would run before `pairs` of a new caller were through, besides those that run already. */
  ahead(pairs: number): number;
}

interface Waiting {
  readonly job: PairJob;
  readonly results: Signals[];
  readonly resolve: (signals: readonly Signals[]) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: () => void;
  /** Images before this one were taken into batches. */
  next: number;
  unscored: number;
  isOver: boolean;
}

interface Taken {
  readonly waiting: Waiting;
  readonly from: number;
  readonly to: number;
}

interface Running {
  readonly taken: readonly Taken[];
  readonly pairs: number;
  readonly controller: AbortController;
}

/**
 * Puts pairs of several callers into batches, for a model that runs as many of them at a time as `maxInFlight` says. A
 * model with nothing to do starts at once. What arrives while it is busy is taken so: half of a batch goes to those
 * whose deadline is nearest, the other half to all in turn, a pair each. So a short query passes a long one, a near
 * deadline waits for nobody's whole work, and nobody waits for ever. Work whose caller left or whose deadline passed is
 * dropped before it costs anything.
 */
export function createPairQueue(options: PairQueueOptions): PairQueue {
  const { now = () => performance.now() } = options;
  /** Callers with pairs that are in no batch yet, the one whose turn is next first. */
  let callers: { readonly signal: AbortSignal; readonly jobs: Waiting[] }[] = [];
  const running = new Set<Running>();
  let endedAt = now();

  function submit(job: PairJob): Promise<readonly Signals[]> {
    const { signal, images } = job;
    if (signal.aborted) return Promise.reject(abortFailure(signal));
    if (images.length === 0) return Promise.resolve([]);
    const caller = callers.find((one) => one.signal === signal);
    if (caller === undefined && callers.length >= options.maxQueued) {
      const detail = `Too many queries wait for the ${options.name}.`;
      return Promise.reject(failure('overloaded', detail, { retryAfterSeconds: 1 }));
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        job,
        results: [],
        resolve,
        reject,
        onAbort: () => {
          callers = callers.filter((one) => one.signal !== signal);
          end(waiting, abortFailure(signal));
        },
        next: 0,
        unscored: images.length,
        isOver: false,
      };
      signal.addEventListener('abort', waiting.onAbort, { once: true });
      if (caller === undefined) callers.push({ signal, jobs: [waiting] });
      else caller.jobs.push(waiting);
      startBatches();
    });
  }

  /** Settles a job; what of it has not run is left out from now on. */
  function end(waiting: Waiting, error?: unknown): void {
    if (waiting.isOver) return;
    waiting.isOver = true;
    waiting.job.signal.removeEventListener('abort', waiting.onAbort);
    if (error === undefined) {
      waiting.resolve(waiting.results);
      return;
    }
    waiting.reject(error);
    for (const { taken, controller } of running) {
      if (taken.every((part) => part.waiting.isOver)) controller.abort(waiting.job.signal.reason);
    }
  }

  /** Drops what is over or taken as a whole. */
  function tidy(): void {
    callers = callers
      .map(({ signal, jobs }) => ({ signal, jobs: jobs.filter((waiting) => countLeft(waiting) > 0) }))
      .filter(({ jobs }) => jobs.length > 0);
  }

  function startBatches(): void {
    while (running.size < options.maxInFlight) {
      const taken = takeBatch();
      if (taken.length === 0) return;
      const batch: Running = { taken, pairs: countTaken(taken), controller: new AbortController() };
      running.add(batch);
      void runBatch(batch);
    }
  }

  function takeBatch(): Taken[] {
    for (const waiting of callers.flatMap(({ jobs }) => jobs)) {
      if (waiting.job.deadlineAt <= now()) end(waiting, failure('deadline_exceeded', 'The deadline passed.'));
    }
    tidy();
    const left = callers.reduce((sum, { jobs }) => sum + pairsLeft(jobs), 0);
    const size = evenPortion(left, options.batchPairs());
    const firsts = new Map<Waiting, number>();
    const take = (jobs: readonly Waiting[], most: number): number => {
      let room = most;
      for (const waiting of jobs) {
        if (room === 0) break;
        const pairs = Math.min(room, countLeft(waiting));
        if (pairs > 0 && !firsts.has(waiting)) firsts.set(waiting, waiting.next);
        waiting.next += pairs;
        room -= pairs;
      }
      return most - room;
    };
    let room = size;
    const byDeadline = callers
      .map(({ jobs }) => ({ jobs, deadlineAt: nearest(jobs) }))
      .sort((a, b) => (a.deadlineAt === b.deadlineAt ? 0 : a.deadlineAt - b.deadlineAt));
    for (const { jobs } of byDeadline) room -= take(jobs, Math.max(0, room - Math.ceil(size / 2)));
    while (room > 0) {
      const [caller, ...others] = callers;
      if (caller === undefined) break;
      room -= take(caller.jobs, 1);
      callers = pairsLeft(caller.jobs) > 0 ? [...others, caller] : others;
    }
    tidy();
    return [...firsts].map(([waiting, from]) => ({ waiting, from, to: waiting.next }));
  }

  async function runBatch(batch: Running): Promise<void> {
    const { taken } = batch;
    try {
      const scores = await options.run(describe(batch));
      // Before anybody hears of it: what it asks next must not count this batch as one that still runs.
      leave(batch);
      deliver(taken, scores);
    } catch (error) {
      leave(batch);
      for (const { waiting } of taken) end(waiting, error);
    }
    startBatches();
  }

  function leave(batch: Running): void {
    running.delete(batch);
    endedAt = now();
  }

  function deliver(taken: readonly Taken[], scores: readonly Signals[]): void {
    let first = 0;
    for (const { waiting, from, to } of taken) {
      const own = scores.slice(first, first + to - from);
      first += own.length;
      for (const [position, signals] of own.entries()) waiting.results[from + position] = signals;
      waiting.unscored -= own.length;
      if (!own.every(isFiniteScore)) {
        end(waiting, failure('internal', `The ${options.name} gave a score that is not finite.`));
      } else if (waiting.unscored === 0) end(waiting);
    }
  }

  return {
    submit,
    running: () => ({
      batches: running.size,
      pairs: [...running].reduce((sum, batch) => sum + batch.pairs, 0),
    }),
    isRested: () => running.size === 0 && now() - endedAt > RESTED_AFTER_MS,
    ahead: (pairs) => callers.reduce((sum, { jobs }) => sum + Math.min(pairs, pairsLeft(jobs)), 0),
  };
}

/** Whether all of a pair's scores are numbers that can be ranked by. */
export function isFiniteScore(signals: Signals): boolean {
  return Object.values(signals).every(Number.isFinite);
}

function describe({ taken, pairs, controller }: Running): PairBatch {
  return {
    slices: taken.map(({ waiting: { job }, from, to }) => ({
      query: job.query,
      images: job.images.slice(from, to),
      trace: job.trace,
    })),
    pairs,
    signal: controller.signal,
    deadlineAt: Math.max(...taken.map(({ waiting }) => waiting.job.deadlineAt)),
  };
}

function pairsLeft(jobs: readonly Waiting[]): number {
  return jobs.reduce((sum, waiting) => sum + countLeft(waiting), 0);
}

function countLeft({ job, next, isOver }: Waiting): number {
  return isOver ? 0 : job.images.length - next;
}

function nearest(jobs: readonly Waiting[]): number {
  return Math.min(...jobs.map(({ job }) => job.deadlineAt));
}

function countTaken(taken: readonly Taken[]): number {
  return taken.reduce((sum, { from, to }) => sum + to - from, 0);
}
