import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linearScale, linearTicks, logScale, logTicks } from '../../../../src/eval/report/html/scale.ts';

test('scales map the ends of the domain to the ends of the range', () => {
  const linear = linearScale([0, 50], [100, 200]);
  assert.deepEqual([0, 25, 50].map(linear), [100, 150, 200]);
  const log = logScale([1, 100], [0, 10]);
  assert.deepEqual([0.01, 1, 10, 100].map(log), [0, 0, 5, 10]);
});

test('ticks are round and cover the data', () => {
  assert.deepEqual(linearTicks(60), [0, 20, 40, 60]);
  assert.deepEqual(linearTicks(0.73), [0, 0.2, 0.4, 0.6, 0.8]);
  assert.deepEqual(logTicks(3, 148), [2, 5, 10, 20, 50, 100, 200]);
});

test('ticks cover any data and are never many', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), (max) => {
      const ticks = linearTicks(max);
      assert.equal(ticks[0], 0);
      assert.ok((ticks.at(-1) ?? 0) >= max * (1 - 1e-9));
      assert.ok(ticks.length >= 2 && ticks.length <= 7);
    }),
  );
});
