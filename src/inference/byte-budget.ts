import { untilAborted } from '../core/abort.ts';

/** Keeps what is held in memory around a bound, where how much a thing takes is known only once it is there. */
export interface ByteBudget {
  /** Waits until less than the bound is held. Rejects as the signal says when it fires first. */
  room(signal: AbortSignal): Promise<void>;
  /** Counts `bytes` as held until what it returns is called. */
  hold(bytes: number): () => void;
}

/** The bound may be gone beyond by what those make that found room at the same time. */
export function createByteBudget(maxBytes: number): ByteBudget {
  const waiting = new Set<() => void>();
  let held = 0;
  return {
    async room(signal) {
      while (held >= maxBytes) {
        let wake = (): void => {};
        const freed = new Promise<void>((resolve) => {
          wake = resolve;
        });
        waiting.add(wake);
        await untilAborted(freed, signal).finally(() => waiting.delete(wake));
      }
    },
    hold(bytes) {
      held += bytes;
      return () => {
        held -= bytes;
        for (const wake of waiting) wake();
      };
    },
  };
}
