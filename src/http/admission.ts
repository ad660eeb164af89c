import { availableParallelism } from 'node:os';
import { abortFailure } from '../core/abort.ts';
import { failure } from '../core/errors.ts';

/**
 * What bounds the work that is let in, and whose:
 *
 *   gates.rank   how many of /rank, /score and /embed are worked on at once (limits.rank_concurrency) and how many wait
 *                (limits.rank_queue)
 *   patience     of /rank alone: how long the wait may be expected to be, as a share of the deadline, on arrival
 *   brown-out    of /rank alone: how many covers it may rerank, by how long it waited (brown-out.ts)
 *   gates.index  how many requests that write (/index, /covers, /judgements, /snapshot) are worked on at once
 *                (limits.index_concurrency), how many wait (limits.index_queue) and for how long (TIMEOUTS.indexWaitMs);
 *                beside one at work no other starts while rankings wait
 *   items        how many items of all /index requests are worked on at once, whatever their number: one request may hold
 *                any number of them. One at a time while rankings wait; the rest wait without bound, their requests have
 *                their places already
 *
 * `holdPlace` (client-signal.ts) ties a request's place at one of the `gates` to its answer: held until it is out or the
 * client gone. Places at `items` are given back item by item. Behind the gates each model has a bounded queue of its own.
 */

/**
 * A gate lets `concurrency` requests work at once, makes `queue` more wait in order of arrival, and refuses the rest at
 * once with `overloaded`. So does it with those that would wait too long: refused on arrival they can go elsewhere,
 * where a wait that ends at their deadline would have been for nothing.
 */
export interface Gate {
  readonly running: number;
  readonly waiting: number;
  /**
   * Waits for a place. Rejects with `overloaded` when the queue is full or, by what requests take now, would be longer
   * than `patienceMs`; with `deadline_exceeded` or `cancelled` when the signal fires first.
   */
  enter(signal: AbortSignal, patienceMs?: number): Promise<Place>;
  /** Calls the listener whenever nobody waits any more. */
  onQuiet(listener: () => void): void;
}

export interface Place {
  /** Milliseconds spent waiting. */
  readonly queuedMs: number;
  /** Gives the place to the next in line; calling it again does nothing. */
  leave(): void;
}

export interface GateOptions {
  readonly concurrency: number;
  readonly queue: number;
  /** Longest wait, after which a request is refused like one that found the queue full. Default: as long as it will. */
  readonly maxWaitMs?: number;
  /** A gate that goes first: while requests wait there, this one starts new work only if it has none running. */
  readonly yieldsTo?: Gate;
}

/**
 * Rankings that are worked on at once: enough to fill batches. More would wait inside the models, where nobody sees how
 * long, instead of at the gate.
 */
export function defaultRankConcurrency(): number {
  return Math.min(64, Math.max(8, 4 * availableParallelism()));
}

/** Share of the newest service time in the running mean that waits are estimated from. */
const SMOOTHING = 0.1;
const MAX_RETRY_AFTER_SECONDS = 60;

interface Waiter {
  start(): void;
}

export function createGate({ concurrency, queue, maxWaitMs, yieldsTo }: GateOptions): Gate {
  const waiters = new Set<Waiter>();
  let running = 0;
  let meanServiceMs = 0;
  const quietListeners: (() => void)[] = [];

  const mayStart = (): boolean =>
    running < concurrency && (yieldsTo === undefined || yieldsTo.waiting === 0 || running === 0);

  const startNext = (): void => {
    for (const waiter of waiters) {
      if (!mayStart()) break;
      waiters.delete(waiter);
      waiter.start();
    }
    if (waiters.size === 0) for (const listener of quietListeners) listener();
  };
  yieldsTo?.onQuiet(startNext);

  const take = (enteredAt: number): Place => {
    const startedAt = performance.now();
    let left = false;
    running++;
    return {
      queuedMs: startedAt - enteredAt,
      leave() {
        if (left) return;
        left = true;
        running--;
        meanServiceMs += SMOOTHING * (performance.now() - startedAt - meanServiceMs);
        startNext();
      },
    };
  };

  /** What one more request would have to wait: places are handed on at the rate of `concurrency` a service time. */
  const expectedWaitMs = (): number => ((waiters.size + 1) * meanServiceMs) / concurrency;

  const retryAfterSeconds = (): number =>
    Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(1, Math.ceil(expectedWaitMs() / 1000)));

  const refusal = () =>
    failure('overloaded', 'Too many requests are waiting.', { retryAfterSeconds: retryAfterSeconds() });

  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiters.size;
    },
    onQuiet(listener) {
      quietListeners.push(listener);
    },
    async enter(signal, patienceMs = Number.POSITIVE_INFINITY) {
      const enteredAt = performance.now();
      if (signal.aborted) throw abortFailure(signal);
      if (waiters.size === 0 && mayStart()) return take(enteredAt);
      if (waiters.size >= queue || expectedWaitMs() > patienceMs) throw refusal();
      return new Promise<Place>((resolve, reject) => {
        const stopWaiting = (): void => {
          waiters.delete(waiter);
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const giveUp = (error: Error): void => {
          stopWaiting();
          reject(error);
          startNext();
        };
        const onAbort = (): void => giveUp(abortFailure(signal));
        const timer = maxWaitMs === undefined ? undefined : setTimeout(() => giveUp(refusal()), maxWaitMs);
        const waiter: Waiter = {
          start() {
            stopWaiting();
            resolve(take(enteredAt));
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        waiters.add(waiter);
        startNext();
      });
    },
  };
}
