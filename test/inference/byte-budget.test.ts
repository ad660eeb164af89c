import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isFailure } from '../../src/core/errors.ts';
import { createByteBudget } from '../../src/inference/byte-budget.ts';

const never = new AbortController().signal;

test('there is room until the bound is held, and again once some of it is let go', async () => {
  const budget = createByteBudget(100);
  await budget.room(never);
  const releaseSmall = budget.hold(60);
  await budget.room(never);
  const releaseLarge = budget.hold(90);
  const entered: number[] = [];
  const waiting = [1, 2].map((number) => budget.room(never).then(() => entered.push(number)));
  await setImmediate();
  assert.deepEqual(entered, []);
  releaseSmall();
  await Promise.all(waiting);
  assert.deepEqual(entered, [1, 2]);
  releaseLarge();
});

test('who leaves while waiting is told so, and nobody waits for them', async () => {
  const budget = createByteBudget(100);
  const release = budget.hold(100);
  const leaving = new AbortController();
  const gone = budget.room(leaving.signal);
  leaving.abort();
  await assert.rejects(gone, (error) => isFailure(error, 'cancelled'));
  const next = budget.room(never);
  release();
  await next;
});
