import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLatencyEstimate } from '../../../src/inference/remote/latency-estimate.ts';

const near = (got: number, expected: number): void =>
  assert.ok(Math.abs(got - expected) < 0.05 * expected, `${got} is not near ${expected}`);

test('nothing is expected of what was never measured', () => {
  const latency = createLatencyEstimate();
  assert.equal(latency.isKnown, false);
  assert.equal(latency.of(64), 0);
});

test('a base and a price for each are found from calls of several sizes', () => {
  const latency = createLatencyEstimate();
  for (let call = 0; call < 200; call++) {
    const size = 1 + ((call * 7) % 64);
    latency.learn(size, 4 + 0.5 * size);
  }
  near(latency.of(1), 4.5);
  near(latency.of(64), 36);
  near(latency.of(128), 68);
});

test('calls of one size are taken to be proportional, and a cheaper large call never makes a larger one cost less', () => {
  const one = createLatencyEstimate();
  for (let call = 0; call < 5; call++) one.learn(16, 8);
  near(one.of(32), 16);
  const odd = createLatencyEstimate();
  odd.learn(1, 20);
  odd.learn(16, 5);
  assert.ok(odd.of(64) >= odd.of(1));
});

test('what changed is learnt, and calls that vary are expected to take longer than their mean', () => {
  const latency = createLatencyEstimate();
  for (let call = 0; call < 100; call++) latency.learn(16, 10);
  for (let call = 0; call < 100; call++) latency.learn(16, 40);
  near(latency.of(16), 41);
  const restless = createLatencyEstimate();
  for (let call = 0; call < 200; call++) restless.learn(16, call % 2 === 0 ? 5 : 15);
  assert.ok(restless.of(16) > 13);
});

test('one call that stalled counts for little', () => {
  const estimate = createLatencyEstimate();
  for (let call = 0; call < 40; call++) estimate.learn(16, 40);
  estimate.learn(16, 30_000);
  assert.ok(estimate.of(16) < 2 * 40);
});
