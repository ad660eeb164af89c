import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { createPairsBuilder } from '../../../src/eval/judgements/judged-pairs.ts';
import { tunePage } from '../../../src/eval/report/html/tune-page.ts';
import { reportJson } from '../../../src/eval/report/json.ts';
import type { SignalTable } from '../../../src/eval/scoring/signal-table.ts';
import { createRandomInt } from '../../../src/eval/statistics/resample.ts';
import { calibrated, calibrationQuality, fitCalibration } from '../../../src/eval/tune/calibrate.ts';
import { fitLogistic, sigmoid } from '../../../src/eval/tune/logistic.ts';
import { fitWeights, preferencesOf } from '../../../src/eval/tune/pairwise.ts';
import { tuneVerdict, tuneWeights } from '../../../src/eval/tune/tune.ts';

const OPTIONS = {
  folds: 5,
  penalty: 0.001,
  relevantLabel: 2,
  calibrate: false,
  resamples: 500,
  seed: 1,
  confidence: 0.95,
};

/** Numbers from -1 to 1, the same every time. */
function createNoise(seed: number): () => number {
  const random = createRandomInt(seed);
  return () => random(-1_000_000, 1_000_000) / 1_000_000;
}

/** 120 queries of 8 covers, whose labels follow `usefulness` × useful signal + cosine, and a signal of pure noise. */
function judgedSignals(usefulness: number) {
  const noise = createNoise(11);
  const builder = createPairsBuilder();
  const rows: { cosine: number; useful: number; noise: number; constant: number }[] = [];
  for (let query = 0; query < 120; query++) {
    for (let cover = 0; cover < 8; cover++) {
      const row = { cosine: noise(), useful: noise() / 10, noise: noise(), constant: 0.1 };
      const quality = row.cosine + usefulness * row.useful + noise() / 2;
      builder.add(
        `query ${query}`,
        `cover ${query} ${cover}`,
        quality > 0.6 ? 2 : quality > 0 ? 1 : 0,
        rows.length + 1,
      );
      rows.push(row);
    }
  }
  const names = ['cosine', 'useful', 'noise', 'constant'] as const;
  const signals: SignalTable = { names, columns: names.map((name) => Float64Array.from(rows, (row) => row[name])) };
  return { pairs: builder.finish().pairs, signals };
}

test('without features but a constant one the fit is the share of ones', () => {
  const [intercept = 0] = fitLogistic({
    features: Float64Array.of(1, 1, 1, 1, 1),
    targets: Uint8Array.of(1, 1, 1, 1, 0),
    weights: new Float64Array(5).fill(0.2),
    penalties: [0],
  });
  assert.ok(Math.abs(sigmoid(intercept) - 0.8) < 1e-9);
});

test('at the minimum the slope of the cost is 0 in every direction', () => {
  const noise = createNoise(3);
  const size = 200;
  const features = Float64Array.from({ length: size * 3 }, noise);
  const targets = Uint8Array.from({ length: size }, (_, row) => ((features[row * 3] ?? 0) + noise() > 0 ? 1 : 0));
  const fitted = fitLogistic({
    features,
    targets,
    weights: new Float64Array(size).fill(1 / size),
    penalties: [0.01, 0.01, 0.01],
  });
  for (let position = 0; position < 3; position++) {
    let slope = 0.01 * (fitted[position] ?? 0);
    for (let row = 0; row < size; row++) {
      const x = features.subarray(row * 3, row * 3 + 3);
      const score = x.reduce((sum, value, at) => sum + value * (fitted[at] ?? 0), 0);
      slope += ((sigmoid(score) - (targets[row] ?? 0)) * (x[position] ?? 0)) / size;
    }
    assert.ok(Math.abs(slope) < 1e-8, `slope ${slope}`);
  }
});

test('labels that a signal separates without fault do not run away', () => {
  const fitted = fitLogistic({
    features: Float64Array.of(-1, 1),
    targets: Uint8Array.of(0, 1),
    weights: Float64Array.of(0.5, 0.5),
    penalties: [0.001],
  });
  assert.ok(Number.isFinite(fitted[0]) && (fitted[0] ?? 0) > 3);
});

test('weights find the mix that the labels were made of; the cosine weighs 1, a constant signal nothing', () => {
  const { pairs, signals } = judgedSignals(5);
  const weights = fitWeights(signals, preferencesOf(pairs), [...pairs.queries.keys()], 1e-6);
  assert.equal(weights['cosine'], 1);
  assert.ok(Math.abs((weights['useful'] ?? 0) - 5) < 0.7, `useful weighs ${weights['useful']}`);
  assert.ok(Math.abs(weights['noise'] ?? 1) < 0.06, `noise weighs ${weights['noise']}`);
  assert.equal(weights['constant'], undefined);
});

test('a query that is held out has no say in the weights, however far its signals go', () => {
  const { pairs, signals } = judgedSignals(5);
  const queries = [...pairs.queries.keys()].slice(1);
  const wild: SignalTable = {
    ...signals,
    columns: signals.columns.map((column) => column.map((value, row) => (row < 8 ? 1000 * value : value))),
  };
  const preferences = preferencesOf(pairs);
  assert.deepEqual(fitWeights(wild, preferences, queries, 0.1), fitWeights(signals, preferences, queries, 0.1));
});

test('a useful signal gains significantly on queries that were held out', () => {
  const tuned = tuneWeights(
    { ...judgedSignals(5), fitted: ['cosine', 'useful', 'noise', 'constant'], present: { cosine: 1 } },
    OPTIONS,
  );
  assert.equal(tuned.foldWeights.length, 5);
  assert.ok(tuned.significant);
  assert.ok((tuned.gain.interval?.low ?? -1) > 0);
  assert.match(tuneVerdict(tuned), /is significant/);
});

test('a useless one does not, and the verdict says so', () => {
  const { pairs, signals } = judgedSignals(0);
  const tuned = tuneWeights({ pairs, signals, fitted: ['cosine', 'noise'], present: { cosine: 1 } }, OPTIONS);
  assert.equal(tuned.significant, false);
  assert.match(tuneVerdict(tuned), /is not significant/);
  assert.deepEqual(Object.keys(tuned.weights), ['cosine', 'noise']);
  const page = tunePage(tuned, pairs, { relevantLabel: 2, configuration: {}, thumbnails: new Map() });
  assert.doesNotMatch(page + reportJson(tuned), /NaN|undefined/);
});

test('the same seed gives the same folds and figures', () => {
  const input = { ...judgedSignals(5), fitted: ['cosine', 'useful'], present: { cosine: 1 } };
  const [first, second] = [tuneWeights(input, OPTIONS), tuneWeights(input, OPTIONS)];
  assert.deepEqual(first, second);
});

test('no query is scored by weights that it was fitted with', () => {
  const { pairs, signals } = judgedSignals(5);
  const input = { pairs, signals, fitted: ['cosine', 'useful'], present: { cosine: 1 } };
  const before = tuneWeights(input, OPTIONS);
  // Turning the labels of one query around changes the weights of all folds but the one that holds it out.
  const label = pairs.label.slice();
  for (let row = 0; row < 8; row++) label[row] = 2 - (label[row] ?? 0);
  const after = tuneWeights({ ...input, pairs: { ...pairs, label } }, OPTIONS);
  const same = before.foldWeights.filter((weights, fold) => weights['useful'] === after.foldWeights[fold]?.['useful']);
  assert.equal(same.length, 1);
});

test('calibration finds the probability that the labels were drawn with', () => {
  const noise = createNoise(5);
  const builder = createPairsBuilder();
  const scores = new Float64Array(4000);
  for (let row = 0; row < scores.length; row++) {
    const score = noise();
    scores[row] = score;
    builder.add('q', `c${row}`, (noise() + 1) / 2 < sigmoid(3 * score - 1) ? 2 : 0, row + 1);
  }
  const { pairs } = builder.finish();
  const calibration = fitCalibration(pairs, scores, [...scores.keys()], 2);
  assert.ok(Math.abs(calibration.slope - 3) < 0.3 && Math.abs(calibration.intercept + 1) < 0.15);
  const quality = calibrationQuality(
    pairs.label,
    scores.map((score) => calibrated(calibration, score)),
    2,
  );
  assert.ok(quality.expectedCalibrationError < 0.03);
  assert.ok(quality.logLoss < quality.baseLogLoss);
});

test('too few queries to learn from is an error', () => {
  const builder = createPairsBuilder();
  builder.add('q', 'a', 2, 1);
  builder.add('q', 'b', 0, 2);
  const signals: SignalTable = { names: ['cosine'], columns: [Float64Array.of(1, 0)] };
  assert.throws(
    () => tuneWeights({ pairs: builder.finish().pairs, signals, fitted: ['cosine'], present: {} }, OPTIONS),
    (error) => isFailure(error, 'invalid_request') && /1 queries have covers of unlike labels/.test(error.detail),
  );
});
