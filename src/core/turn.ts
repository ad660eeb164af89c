import { setImmediate } from 'node:timers/promises';

/** Long arithmetic on a thread that has other things to do: it goes on in turns of a few milliseconds. */
export interface Turn {
  isOver(): boolean;
  /** Lets everything else that waits go first. */
  next(): Promise<void>;
}

const TURN_MS = 4;

export function startTurn(): Turn {
  let since = performance.now();
  return {
    isOver: () => performance.now() - since >= TURN_MS,
    async next() {
      await setImmediate();
      since = performance.now();
    },
  };
}
