import { setImmediate } from 'node:timers/promises';

const TURN_MS = 4;

/**
 * Long arithmetic on a thread that has other things to do: calls `work` with one piece of 0 to `length` after the other, and
 * lets everything else that waits go first once some milliseconds have passed.
 */
export async function inTurns(
  length: number,
  piece: number,
  work: (start: number, end: number) => void,
): Promise<void> {
  let since = performance.now();
  for (let start = 0; start < length; start += piece) {
    if (performance.now() - since >= TURN_MS) {
      await setImmediate();
      since = performance.now();
    }
    work(start, Math.min(start + piece, length));
  }
}
