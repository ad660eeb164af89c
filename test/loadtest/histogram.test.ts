import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimeHistogram } from '../../loadtest/histogram.ts';

test('percentiles are within a thousandth of the exact ones', () => {
  const histogram = createTimeHistogram();
  for (let ms = 1; ms <= 10_000; ms++) histogram.record(ms);
  const { count, mean, p50, p90, p99, p999, max } = histogram.summary();
  assert.equal(count, 10_000);
  assert.equal(mean, 5000.5);
  assert.equal(max, 10_000);
  for (const [value, exact] of [
    [p50, 5000],
    [p90, 9000],
    [p99, 9900],
    [p999, 9990],
  ] as const) {
    assert.ok(Math.abs(value / exact - 1) < 0.001, `${value} for ${exact}`);
  }
});

test('an empty histogram is all zeros', () => {
  const { count, mean, p50, max } = createTimeHistogram().summary();
  assert.deepEqual({ count, mean, p50, max }, { count: 0, mean: 0, p50: 0, max: 0 });
});

test('the curve rises and ends at the maximum', () => {
  const histogram = createTimeHistogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.record(ms);
  const curve = histogram.curve();
  assert.equal(curve[0]?.percentile, 0);
  assert.ok(Math.abs((curve.at(-1)?.percentile ?? 0) - 99.9) < 1e-9);
  for (const [index, { percentile, ms }] of curve.entries()) {
    const before = curve[index - 1];
    assert.ok(before === undefined || (before.percentile < percentile && before.ms <= ms));
  }
});
