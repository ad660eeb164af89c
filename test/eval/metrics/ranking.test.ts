import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPairsBuilder } from '../../../src/eval/judgements/judged-pairs.ts';
import { readPredictions } from '../../../src/eval/judgements/predictions.ts';
import { countedQueries, metricValue } from '../../../src/eval/metrics/query-metric.ts';
import { ndcgAt, rankingMetrics } from '../../../src/eval/metrics/ranking.ts';
import { FIXTURES } from '../fixtures.ts';

type Row = readonly [label: number, query: string, score: number];

function evaluate(rows: readonly Row[]) {
  const builder = createPairsBuilder();
  rows.forEach(([label, query], row) => {
    builder.add(query, `cover ${row}`, label, row + 1);
  });
  const { pairs, order } = builder.finish();
  return rankingMetrics(
    pairs,
    Float64Array.from(order, (row) => rows[row]?.[2] ?? 0),
    2,
  );
}

function valuesOf({ metrics }: ReturnType<typeof evaluate>): Record<string, number | null> {
  return Object.fromEntries(metrics.map((metric) => [metric.name, metricValue(metric)]));
}

test('figures of real predictions equal those of a slow, separate reading of the formulas', async () => {
  const expected = JSON.parse(await readFile(join(FIXTURES, 'predictions.expected.json'), 'utf8'));
  const { pairs, scores, problems } = readPredictions(await readFile(join(FIXTURES, 'predictions.tsv')), 'predictions');
  const evaluated = rankingMetrics(pairs, scores, 2);
  assert.deepEqual(evaluated.pairs, { right: expected.right, wrong: expected.wrong, tied: expected.tied });
  for (const [name, value] of Object.entries(valuesOf(evaluated))) {
    assert.ok(Math.abs((value ?? Number.NaN) - expected.metrics[name]) < 1e-12, `${name} is ${value}`);
  }
  assert.equal(pairs.label.length, expected.rows);
  assert.equal(evaluated.queries.all, expected.queries);
  assert.deepEqual(
    problems.map(({ problem, count }) => [problem, count]),
    [['duplicate_pair', expected.repeated_rows]],
  );
  const counted = Object.fromEntries(evaluated.metrics.map((metric) => [metric.name, countedQueries(metric)]));
  assert.equal(counted['ndcg@1'], expected.counted['ndcg@1']);
  assert.equal(counted['map'], expected.counted.map);
});

test('a small case by hand', () => {
  const { pairs, ...rest } = evaluate([
    [0, 'a', 0.9],
    [2, 'a', 0.8],
    [1, 'a', 0.1],
  ]);
  assert.deepEqual(pairs, { right: 1, wrong: 2, tied: 0 });
  const values = valuesOf({ pairs, ...rest });
  assert.equal(values['pnr'], 0.5);
  assert.ok(Math.abs((values['ndcg@1'] ?? 1) - 1e-6 / (3 + 1e-6)) < 1e-12);
  const dcg = 3 / Math.log2(3) + 1 / 2;
  const ideal = 3 + 1 / Math.log2(3);
  assert.ok(Math.abs((values['ndcg@3'] ?? 0) - (dcg + 1e-6) / (ideal + 1e-6)) < 1e-12);
  assert.equal(values['map'], 0.5);
});

test('of equal scores the later row stands first for NDCG and the earlier one for MAP', () => {
  const values = valuesOf(
    evaluate([
      [2, 'a', 0.5],
      [0, 'a', 0.5],
    ]),
  );
  assert.ok((values['ndcg@1'] ?? 1) < 1e-6);
  assert.equal(values['map'], 1);
  assert.equal(values['pnr'], 0.5, 'half a right pair over at least one wrong');
});

test('queries that cannot say anything are counted and left out, and nothing at all is null', () => {
  const { queries, metrics } = evaluate([
    [2, 'one row', 0.5],
    [1, 'one label', 0.5],
    [1, 'one label', 0.4],
  ]);
  assert.deepEqual(queries, { all: 2, ofOneRow: 1, ofOneLabel: 2, withoutRelevant: 1 });
  const values = Object.fromEntries(metrics.map((metric) => [metric.name, metricValue(metric)]));
  assert.deepEqual(values, { pnr: null, 'ndcg@1': null, 'ndcg@3': null, 'ndcg@5': null, 'ndcg@10': null, map: 1 });
});

test('no input makes a NaN, and metrics keep their bounds', () => {
  const row = fc.tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.constantFrom('a', 'b', 'c'),
    fc.double({ noNaN: true, min: -1e300, max: 1e300 }),
  );
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
      for (const [name, value] of Object.entries(valuesOf(evaluate(rows)))) {
        if (value === null) continue;
        assert.ok(Number.isFinite(value) && value >= 0, `${name} is ${value}`);
        if (name !== 'pnr') assert.ok(value <= 1 + 1e-12, `${name} is ${value}`);
      }
    }),
  );
});

test('the ideal order has an NDCG of 1 at every depth', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 20 }),
      (labels, k) => {
        assert.equal(
          ndcgAt(
            [...labels].sort((a, b) => b - a),
            k,
          ),
          1,
        );
        assert.ok(ndcgAt(labels, k) <= 1);
      },
    ),
  );
});
