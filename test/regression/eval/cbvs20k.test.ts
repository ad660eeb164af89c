import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readPredictions } from '../../../src/eval/judgements/predictions.ts';
import { countedQueries, metricValue } from '../../../src/eval/metrics/query-metric.ts';
import { rankingMetrics } from '../../../src/eval/metrics/ranking.ts';

/** The `output/inference_result.txt` of the CBVS-UniCLIP repository. */
const PREDICTIONS = process.env['CBVS20K_PREDICTIONS'];

test("the published figures of UniCLIP come out of its authors' predictions", {
  skip: PREDICTIONS === undefined && 'CBVS20K_PREDICTIONS does not name the file',
}, async () => {
  const { pairs, scores, problems } = readPredictions(await readFile(PREDICTIONS ?? ''), 'predictions');
  const evaluated = rankingMetrics(pairs, scores, 2);
  assert.equal(pairs.label.length, 20_001);
  assert.equal(pairs.queries.length, 2487);
  assert.equal(pairs.covers.length, 19_662);
  assert.deepEqual(evaluated.pairs, { right: 33_625, wrong: 10_918, tied: 95 });
  const figures = Object.fromEntries(evaluated.metrics.map((metric) => [metric.name, metricValue(metric) ?? 0]));
  assert.equal(figures['pnr']?.toFixed(3), '3.071');
  assert.ok(Math.abs((figures['map'] ?? 0) - 0.7788495802411181) < 1e-12);
  // The authors' NDCG leaves the order of equal scores to numpy, whose versions differ by this much.
  const published = { 'ndcg@1': 0.7843574, 'ndcg@3': 0.8026116, 'ndcg@5': 0.8461553, 'ndcg@10': 0.8927404 };
  for (const [name, value] of Object.entries(published)) {
    assert.ok(Math.abs((figures[name] ?? 0) - value) < 2e-4, `${name} is ${figures[name]}`);
  }
  assert.equal(countedQueries(evaluated.metrics[1] as (typeof evaluated.metrics)[number]), 2382);
  assert.deepEqual(
    problems.map(({ problem, count }) => [problem, count]),
    [['duplicate_pair', 200]],
  );
});
