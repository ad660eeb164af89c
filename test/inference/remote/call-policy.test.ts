import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { failure, isFailure } from '../../../src/core/errors.ts';
import { createCallPolicy } from '../../../src/inference/remote/call-policy.ts';

const HOUR_MS = 3_600_000;
const signal = new AbortController().signal;
const fails = (): Promise<never> => Promise.reject(failure('unavailable', 'down'));
const works = (): Promise<string> => Promise.resolve('up');

for (const [direction, jumpMs] of [
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
] as const) {
  test(`an open breaker pauses as long as ever when the time of day jumps ${direction} by an hour`, async (t) => {
    const policy = createCallPolicy({ isTransient: () => false, isFault: () => true });
    for (let call = 0; call < 5; call++) await assert.rejects(policy.run(fails, signal));
    assert.equal(policy.breaker, 'open' as string);
    const now = Date.now.bind(Date);
    t.mock.method(Date, 'now', () => now() + jumpMs);
    let calls = 0;
    const counted = (): Promise<string> => {
      calls += 1;
      return works();
    };
    await assert.rejects(policy.run(counted, signal), (error) => isFailure(error, 'unavailable'));
    assert.equal(calls, 0, 'the server is left alone');
    while (calls === 0) {
      await delay(50);
      await policy.run(counted, signal).catch(() => {});
    }
    assert.equal(policy.breaker, 'closed' as string);
    assert.equal(await policy.run(works, signal), 'up');
  });
}
