import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runOpenLoop } from '../../loadtest/open-loop.ts';
import { createRandom, exponential } from '../../loadtest/random.ts';

test('arrivals wait for nobody: the same ones are due however long an answer takes', async () => {
  const dueTimes = async (answerMs: number): Promise<number[]> => {
    const startedAt = performance.now();
    const due: number[] = [];
    const send = async (dueAt: number): Promise<void> => {
      due.push(dueAt - startedAt);
      await sleep(answerMs);
    };
    await runOpenLoop(send, { ratePerSecond: 200, seconds: 0.5, random: createRandom(5) });
    return due;
  };
  const [fast, slow] = [await dueTimes(0), await dueTimes(400)];
  assert.equal(slow.length, fast.length);
  // Both are due at the same distances from their start.
  const gaps = (due: number[]): string[] => due.slice(1).map((time, index) => (time - (due[index] ?? 0)).toFixed(6));
  assert.deepEqual(gaps(slow), gaps(fast));
});

test('it settles when the last answer is there', async () => {
  let running = 0;
  await runOpenLoop(
    async () => {
      running += 1;
      await sleep(100);
      running -= 1;
    },
    { ratePerSecond: 100, seconds: 0.1, random: createRandom(5) },
  );
  assert.equal(running, 0);
});

test('waits between arrivals have the mean and spread of an exponential distribution', () => {
  const random = createRandom(11);
  const waits = Array.from({ length: 20_000 }, () => exponential(random, 50));
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
  const deviation = Math.sqrt(waits.reduce((sum, wait) => sum + (wait - mean) ** 2, 0) / waits.length);
  assert.ok(Math.abs(mean / 0.02 - 1) < 0.03, `mean ${mean}`);
  assert.ok(Math.abs(deviation / 0.02 - 1) < 0.03, `deviation ${deviation}`);
});
