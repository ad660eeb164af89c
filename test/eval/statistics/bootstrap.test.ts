import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanMetric } from '../../../src/eval/metrics/query-metric.ts';
import { bootstrapMetrics } from '../../../src/eval/statistics/bootstrap.ts';

const OPTIONS = { resamples: 2000, seed: 7, confidence: 0.95 };

test('the interval of a mean is that of the normal approximation', () => {
  const values = Array.from({ length: 400 }, (_, query) => (query % 4 === 0 ? 1 : 0));
  const [estimate] = bootstrapMetrics([meanMetric('share', values)], OPTIONS);
  const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
  assert.equal(estimate?.value, 0.25);
  assert.ok(Math.abs((estimate?.interval?.low ?? 0) - (0.25 - half)) < 0.006);
  assert.ok(Math.abs((estimate?.interval?.high ?? 0) - (0.25 + half)) < 0.006);
});

test('the same seed gives the same interval, another seed another one', () => {
  const values = Array.from({ length: 50 }, (_, query) => Math.sin(query));
  const intervalOf = (seed: number) => bootstrapMetrics([meanMetric('m', values)], { ...OPTIONS, seed })[0]?.interval;
  assert.deepEqual(intervalOf(1), intervalOf(1));
  assert.notDeepEqual(intervalOf(1), intervalOf(2));
});

test('queries that do not count make no NaN', () => {
  const few = meanMetric('few', [0.5, undefined, undefined, 1]);
  const one = meanMetric('one', [undefined, 0.5, undefined, undefined]);
  const none = meanMetric('none', [undefined, undefined, undefined, undefined]);
  const estimates = bootstrapMetrics([few, one, none], OPTIONS);
  assert.deepEqual(estimates[0], { name: 'few', value: 0.75, interval: { low: 0.5, high: 1 }, queries: 2 });
  assert.deepEqual(estimates[1], { name: 'one', value: 0.5, interval: null, queries: 1 });
  assert.deepEqual(estimates[2], { name: 'none', value: null, interval: null, queries: 0 });
});
