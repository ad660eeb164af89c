import { setTimeout as sleep } from 'node:timers/promises';
import { exponential, type Random } from './random.ts';

export interface OpenLoopOptions {
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly random: Random;
}

/**
 * Calls `send` at the given mean rate, whether or not earlier calls have settled, and waits for all of them at the end.
 * Arrivals are independent of each other (a Poisson process), as those of many users are.
 *
 * `dueAt` (performance.now() milliseconds) is when the request should have left. Latency counted from there contains
 * every wait that a slow answer causes to those behind it, so there is no coordinated omission to correct for.
 *
 * autocannon's own fixed rate is not used: it sends each second's share in one burst, and corrects by an expected
 * interval of `ceil(1 / rate)`, which is 1 ms at any rate, for latencies in milliseconds. At 40 requests/s against a
 * server that always takes 20 ms it reports a median of 11 ms.
 */
export async function runOpenLoop(
  send: (dueAt: number) => Promise<void>,
  { ratePerSecond, seconds, random }: OpenLoopOptions,
): Promise<void> {
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1000;
  const running = new Set<Promise<void>>();
  let dueAt = startedAt + exponential(random, ratePerSecond) * 1000;
  while (dueAt < endsAt) {
    const wait = dueAt - performance.now();
    if (wait > 0) await sleep(wait);
    // A timer may be late by several arrivals; those leave together, each with its own due time.
    for (const now = performance.now(); dueAt <= now && dueAt < endsAt; ) {
      const call = send(dueAt).finally(() => running.delete(call));
      running.add(call);
      dueAt += exponential(random, ratePerSecond) * 1000;
    }
  }
  await Promise.all(running);
}
