import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanMetric } from '../../../src/eval/metrics/query-metric.ts';
import { comparePaired, isSignificant } from '../../../src/eval/statistics/paired.ts';

const OPTIONS = { resamples: 2000, seed: 5, confidence: 0.95 };
const compare = (a: readonly number[], b: readonly number[]) => {
  const [difference] = comparePaired([meanMetric('m', a)], [meanMetric('m', b)], OPTIONS);
  assert.ok(difference !== undefined);
  return difference;
};

test('a small gain on every query is significant although the queries differ by far more', () => {
  const a = Array.from({ length: 60 }, (_, query) => Math.sin(query));
  const b = a.map((value, query) => value + 0.01 + 0.005 * Math.cos(query));
  const difference = compare(a, b);
  assert.ok(Math.abs((difference.difference ?? 0) - 0.01) < 0.001);
  assert.ok(isSignificant(difference));
  assert.ok((difference.pValue ?? 1) < 0.001);
  assert.equal(difference.differing, 60);
});

test('noise of both signs is not', () => {
  const a = Array.from({ length: 60 }, (_, query) => Math.sin(query));
  const b = a.map((value, query) => value + (query % 2 === 0 ? 0.1 : -0.1));
  const difference = compare(a, b);
  assert.ok(!isSignificant(difference));
  assert.ok((difference.pValue ?? 0) > 0.5);
});

test('the randomisation test gives the exact p-value where all swaps can be listed', () => {
  // Of the 2^5 ways to swap, two have a difference as large as the one observed: none swapped, and all.
  const { pValue } = compare([0, 0, 0, 0, 0], [1, 1, 1, 1, 1]);
  assert.ok(Math.abs((pValue ?? 0) - 2 / 32) < 0.02, `p is ${pValue}`);
});

test('a system against itself differs nowhere, with an interval of 0 to 0 and p of 1', () => {
  assert.deepEqual(compare([0.5, 0.25, 1], [0.5, 0.25, 1]), {
    name: 'm',
    a: 1.75 / 3,
    b: 1.75 / 3,
    difference: 0,
    interval: { low: 0, high: 0 },
    pValue: 1,
    differing: 0,
  });
});

test('nothing to compare gives nulls', () => {
  const none = meanMetric('m', [undefined, undefined]);
  const [difference] = comparePaired([none], [none], OPTIONS);
  assert.deepEqual([difference?.difference, difference?.interval, difference?.pValue], [null, null, null]);
});
