import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { areaUnderCurve, matchingEstimates } from '../../../src/eval/metrics/matching.ts';

const OPTIONS = { resamples: 300, seed: 1, confidence: 0.95 };

test('AUC is the share of pairs of unlike labels in the right order, ties counting half', () => {
  const pair = fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 8 }));
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1, maxLength: 50 }), (pairs) => {
      const positives = pairs.filter(([label]) => label === 1);
      const negatives = pairs.filter(([label]) => label === 0);
      const right = positives.flatMap(([, high]) =>
        negatives.map(([, low]) => (high > low ? 1 : high === low ? 0.5 : 0)),
      );
      const expected = right.length === 0 ? null : right.reduce<number>((sum, one) => sum + one, 0) / right.length;
      const labels = Uint8Array.from(pairs, ([label]) => label);
      const scores = Float64Array.from(pairs, ([, score]) => score);
      assert.equal(areaUnderCurve(labels, scores), expected);
    }),
  );
});

test('accuracy counts scores above the threshold as matches', () => {
  const [, accuracy] = matchingEstimates(
    Uint8Array.of(1, 1, 0, 0, 0),
    Float64Array.of(0.9, 0.5, 0.5, 0.2, 0.7),
    0.5,
    OPTIONS,
  );
  assert.equal(accuracy?.value, 0.6);
});

test('labels of one kind have an accuracy but no AUC, and no NaN', () => {
  const estimates = matchingEstimates(Uint8Array.of(1, 1), Float64Array.of(0.9, 0.1), 0.5, OPTIONS);
  assert.deepEqual(estimates[0], { name: 'auc', value: null, interval: null });
  assert.equal(estimates[1]?.value, 0.5);
});
