import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRunCost } from '../../src/inference/run-cost.ts';

test('two runs tell what a run costs and what each of its pairs', () => {
  const cost = createRunCost();
  assert.deepEqual([cost.isKnown, cost.of(8)], [false, 0]);
  cost.calibrate(14, 8, 42);
  assert.equal(cost.of(1), 14);
  assert.equal(cost.of(16), 74);
});

test('a slower machine makes all sizes slower alike', () => {
  const cost = createRunCost();
  cost.calibrate(14, 8, 42);
  for (let run = 0; run < 100; run++) cost.learn(8, 84);
  assert.ok(Math.abs(cost.of(1) - 28) < 0.1);
  assert.ok(Math.abs(cost.of(16) - 148) < 0.5);
});

test('without a calibration pairs are taken to cost alike', () => {
  const cost = createRunCost();
  cost.learn(4, 20);
  assert.deepEqual([cost.isKnown, cost.of(1), cost.of(10)], [true, 5, 50]);
});

test('a larger run that took less than a small one makes no pair free', () => {
  const cost = createRunCost();
  cost.calibrate(10, 4, 8);
  assert.ok(cost.of(100) > cost.of(10) && cost.of(10) > cost.of(1));
});

test('a run is as long as asked for, or longer where it would hardly be worth its own cost', () => {
  const cost = createRunCost();
  cost.calibrate(5, 11, 45);
  assert.equal(cost.pairsFor(61, 0.1), 15);
  cost.calibrate(14, 11, 54);
  assert.equal(cost.pairsFor(61, 0.1), 22);
  cost.calibrate(34, 11, 74);
  assert.equal(cost.pairsFor(60, 0.1), 37);
  cost.calibrate(500, 1, 500);
  assert.equal(cost.pairsFor(61, 0.1), 1);
});

test('one run that stalled counts for little', () => {
  const cost = createRunCost();
  cost.calibrate(14, 8, 42);
  cost.learn(8, 42_000);
  assert.ok(cost.of(8) < 2 * 42);
});
