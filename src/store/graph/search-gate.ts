import { abortFailure, untilAborted } from '../../core/abort.ts';
import { failure } from '../../core/errors.ts';

/** Lets a bounded number of searches through to the graph's thread; what was given up meanwhile never reaches it. */
export interface SearchGate {
  /** Rejects with `overloaded` when too many wait, and with `cancelled` or `deadline_exceeded` when the signal fires. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createSearchGate(maxRunning: number, maxWaiting: number): SearchGate {
  const waiting = new Set<() => void>();
  let running = 0;

  async function enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortFailure(signal);
    if (running < maxRunning) {
      running += 1;
      return;
    }
    if (waiting.size >= maxWaiting) {
      throw failure('overloaded', 'Too many searches are waiting.', { retryAfterSeconds: 1 });
    }
    await new Promise<void>((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(admit);
        reject(abortFailure(signal));
      };
      waiting.add(admit);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** The place goes to the one that has waited longest. */
  function exit(): void {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async run(work, signal) {
      await enter(signal);
      const result = work();
      result.then(exit, exit);
      return untilAborted(result, signal);
    },
  };
}
