import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Level } from '../../../loadtest/overload/level.ts';
import { overloadTable, verdicts } from '../../../loadtest/overload/table.ts';
import { readMetric } from '../../../loadtest/overload/watch.ts';

const level = (load: number, p99: number, changes: Partial<Level> = {}): Level => ({
  load,
  ratePerSecond: load * 50,
  requests: 100,
  answered: 90,
  refused: 10,
  others: {},
  degraded: { 'rerank: overloaded': 45 },
  answeredMs: { p50: p99 / 2, p99 },
  refusedMs: { p50: 1, p99: 4 },
  probeMs: { p99: 5, max: 20 },
  probesFailed: 0,
  rssMiB: { max: 300, quarters: [200, 300, 280, 290] },
  leastRerankShare: 0.5,
  ...changes,
});

const met = (levels: readonly Level[]) => verdicts(levels).map((verdict) => verdict.met);

test('the table compares each level with the first', () => {
  const text = overloadTable([level(0.7, 100), level(5, 150)]);
  assert.match(text, /5 x .* 90\.0% .* 10\.0% .* 150\.0 .* 1\.50 .* 50\.0%/);
});

test('goals are judged by the worst level', () => {
  assert.deepEqual(met([level(0.7, 100), level(2, 120), level(5, 199)]), [true, true, true, true]);
  assert.deepEqual(met([level(0.7, 100), level(2, 201), level(5, 150)]), [false, true, true, true]);
  const slow = level(2, 100, { refusedMs: { p50: 1, p99: 21 } });
  const blind = level(5, 100, { probesFailed: 1, others: { '504 deadline_exceeded': 3 } });
  assert.deepEqual(met([level(0.7, 100), slow, blind]), [true, false, false, false]);
});

test('a metric without labels is read out of the text', () => {
  const text = '# HELP coverrank_rerank_share x\n# TYPE coverrank_rerank_share gauge\ncoverrank_rerank_share 0.7\n';
  assert.equal(readMetric(text, 'coverrank_rerank_share'), 0.7);
  assert.equal(readMetric(text, 'coverrank_rerank'), undefined);
});
