import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkGate, readBaseline } from '../../../src/eval/gate.ts';
import { readPredictions } from '../../../src/eval/judgements/predictions.ts';
import { comparisonVerdict } from '../../../src/eval/report/comparison.ts';
import { calibrationBins, scoreDistribution, wilsonInterval } from '../../../src/eval/report/distribution.ts';
import { comparisonPage } from '../../../src/eval/report/html/comparison-page.ts';
import { shownCovers } from '../../../src/eval/report/html/covers.ts';
import { rankingPage } from '../../../src/eval/report/html/ranking-page.ts';
import { reportJson } from '../../../src/eval/report/json.ts';
import { type RankingInput, rankingReport } from '../../../src/eval/report/ranking-report.ts';
import { sliceQueries } from '../../../src/eval/report/slices.ts';
import { bytesOf, FIXTURES } from '../fixtures.ts';

const OPTIONS = { resamples: 400, seed: 1, confidence: 0.95, relevantLabel: 2 };

async function fixture(change: Partial<RankingInput> = {}) {
  const { pairs, scores, problems } = readPredictions(await readFile(join(FIXTURES, 'predictions.tsv')), 'predictions');
  const input: RankingInput = { pairs, system: { name: 'real', scores }, problems, configuration: {}, ...change };
  return { pairs, scores, report: rankingReport(input, OPTIONS) };
}

/** Scores that put every query in the worst order. */
const worstFirst = (labels: Uint8Array) => Float64Array.from(labels, (label) => -label);

test('a page asks no network for anything and says no NaN', async () => {
  const { pairs, scores } = await fixture();
  const { report } = await fixture({
    system: { name: 'upside down', scores: worstFirst(pairs.label) },
    against: { name: 'real', scores },
    presence: pairs.covers.map((_, cover) => [0, cover % 2, 1][Math.floor((3 * cover) / pairs.covers.length)]),
  });
  const page = rankingPage(report, new Map());
  assert.doesNotMatch(page, /NaN|undefined|Infinity/);
  assert.doesNotMatch(page, /(src|href)=|@import|<script/);
  for (const title of ['Gain over real by slice', 'Scores by label', 'Calibration', 'Configuration']) {
    assert.ok(page.includes(`<h2>${title}</h2>`), title);
  }
  assert.doesNotMatch(reportJson(report), /NaN/);
  assert.equal(report.slices.filter(({ dimension }) => dimension === 'OCR presence').length, 3);
  assert.match(comparisonVerdict(report.comparison as NonNullable<typeof report.comparison>), /is worse than real/);
});

test('what comes from files is text on the page, never markup', () => {
  const evil = '<script>alert(1)</script>"&';
  const { pairs, scores, problems } = readPredictions(
    bytesOf(`2\t${evil}\t${evil}\t0.1\n0\t${evil}\ty\t0.2\n`),
    'predictions',
  );
  const input = { pairs, system: { name: evil, scores }, problems, configuration: { [evil]: evil } };
  const page = rankingPage(rankingReport(input, OPTIONS), new Map());
  assert.doesNotMatch(page, /<script>|"&"/);
  assert.ok(page.includes('&lt;script&gt;'));
});

test('judgements that nothing can be said of still make a report', () => {
  const { pairs, scores, problems } = readPredictions(bytesOf('1\tq\tx\t0.5\n'), 'predictions');
  const report = rankingReport({ pairs, system: { name: 's', scores }, problems, configuration: {} }, OPTIONS);
  assert.ok(report.estimates.every(({ value }) => value === null));
  assert.doesNotMatch(rankingPage(report, new Map()) + reportJson(report), /NaN|undefined|Infinity/);
});

test('pictures stand in the page once and are shown where their cover is', async () => {
  const { report } = await fixture();
  const [id = ''] = shownCovers(report.worst);
  const page = rankingPage(report, new Map([[id, { bytes: Uint8Array.of(1, 2, 3), contentType: 'image/webp' }]]));
  assert.equal(page.split('data:image/webp;base64,AQID').length, 2);
  assert.ok(page.includes(`class="picture t0" role="img" aria-label="${id}"`));
});

test('a comparison shows the queries that moved, most first', async () => {
  const { pairs, scores } = await fixture();
  const { report } = await fixture({
    system: { name: 'best', scores: Float64Array.from(pairs.label) },
    against: { name: 'real', scores },
  });
  const comparison = report.comparison as NonNullable<typeof report.comparison>;
  assert.equal(comparison.lost.length, 0);
  assert.equal(comparison.gained.length, 20);
  const changes = comparison.gained.map(({ change }) => change);
  assert.deepEqual(
    changes,
    [...changes].sort((a, b) => b - a),
  );
  assert.ok(comparison.metrics.every(({ difference }) => (difference ?? 0) > 0));
  assert.doesNotMatch(comparisonPage(comparison, {}, new Map()), /NaN|undefined/);
});

test('slices of a dimension hold every query once', async () => {
  const { pairs } = await fixture();
  const slices = sliceQueries(pairs);
  for (const dimension of ['query length', 'label mix']) {
    const queries = slices.filter((slice) => slice.dimension === dimension).flatMap((slice) => slice.queries);
    assert.deepEqual(
      queries.sort((a, b) => a - b),
      pairs.queries.map((_, query) => query),
    );
  }
  const length = readPredictions(
    bytesOf('2\t四个汉字\tx\t1\n2\t五个汉字呢\tx\t1\n2\tthirteen long\tx\t1\n'),
    'p',
  ).pairs;
  assert.deepEqual(
    sliceQueries(length)
      .filter(({ dimension }) => dimension === 'query length')
      .map(({ group, queries }) => [group, queries]),
    [
      ['1–4 characters', [0]],
      ['5–8 characters', [1]],
      ['over 12 characters', [2]],
    ],
  );
});

test('distribution and calibration count every row once', () => {
  const labels = Uint8Array.of(0, 0, 2, 2, 2, 1);
  const scores = Float64Array.of(0, 0.5, 0.5, 0.75, 1, 1);
  const { edges, shares } = scoreDistribution(labels, scores);
  assert.deepEqual([edges[0], edges.at(-1), shares.length], [0, 1, 3]);
  for (const ofLabel of shares) assert.ok(Math.abs(ofLabel.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
  const bins = calibrationBins(labels, scores, 2);
  assert.equal(
    bins.reduce((sum, { rows }) => sum + rows, 0),
    6,
  );
  assert.equal(scoreDistribution(labels, new Float64Array(6)).shares[0]?.[0], 1);
});

test("Wilson's interval is the textbook one", () => {
  const { low, high } = wilsonInterval(8, 10);
  assert.ok(Math.abs(low - 0.4902) < 1e-4 && Math.abs(high - 0.9433) < 1e-4);
  assert.equal(wilsonInterval(0, 5).low, 0);
});

test('the gate passes the same figures, and names what fell', async () => {
  const { pairs, report } = await fixture();
  const baseline = readBaseline(reportJson(report), 'baseline.json');
  const same = checkGate(baseline, report, OPTIONS);
  assert.deepEqual(
    same.map(({ name, fell, method }) => [name, fell, method]),
    ['pnr', 'ndcg@1', 'ndcg@3', 'ndcg@5', 'ndcg@10', 'map'].map((name) => [name, false, 'paired']),
  );
  const worse = await fixture({ system: { name: 'upside down', scores: worstFirst(pairs.label) } });
  assert.ok(checkGate(baseline, worse.report, OPTIONS).every(({ fell }) => fell));
  assert.ok(checkGate(readBaseline(reportJson(worse.report), 'b'), report, OPTIONS).every(({ fell }) => !fell));
});

test('on other queries the gate holds a metric against the interval of the baseline', async () => {
  const { report } = await fixture();
  const baseline = readBaseline(reportJson(report), 'baseline.json');
  const { value = 0, interval } = report.estimates[4] ?? {};
  const measured = (ndcg: number | null) => ({
    kind: 'ranking' as const,
    estimates: [{ name: 'ndcg@10', value: ndcg }],
  });
  const checkOf = (ndcg: number | null) =>
    checkGate(baseline, measured(ndcg), OPTIONS).find(({ name }) => name === 'ndcg@10');
  assert.equal(checkOf((value ?? 0) - 1e-6)?.fell, false);
  assert.equal(checkOf((interval?.low ?? 0) - 1e-6)?.fell, true);
  assert.equal(checkOf((interval?.low ?? 0) - 1e-6)?.method, 'interval');
  assert.equal(checkOf(null)?.fell, true);
});

test('a baseline of another kind, or that is none, is refused', () => {
  assert.throws(() => readBaseline('{', 'b.json'), /b\.json is not JSON/);
  assert.throws(() => readBaseline('{"format":1}', 'b.json'), /not the JSON of an evaluation report/);
  const retrieval = readBaseline('{"format":1,"kind":"retrieval","estimates":[]}', 'b.json');
  assert.throws(() => checkGate(retrieval, { kind: 'ranking', estimates: [] }, OPTIONS), /of a retrieval evaluation/);
});

test('larger ranks are worse', () => {
  const baseline = readBaseline(
    '{"format":1,"kind":"retrieval","estimates":[{"name":"i2t_medr","value":3,"interval":{"low":2,"high":4}}]}',
    'b.json',
  );
  const fell = (value: number) =>
    checkGate(baseline, { kind: 'retrieval', estimates: [{ name: 'i2t_medr', value }] }, OPTIONS)[0]?.fell;
  assert.deepEqual([fell(2), fell(4), fell(5)], [false, false, true]);
});
