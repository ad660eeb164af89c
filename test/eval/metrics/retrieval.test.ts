import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  bestRank,
  meanFigures,
  retrievalEstimates,
  retrievalFigures,
  retrievalRanks,
} from '../../../src/eval/metrics/retrieval.ts';
import { topK } from '../../../src/eval/metrics/top-k.ts';

const figures = (imageToText: readonly number[], textToImage: readonly number[]) =>
  retrievalFigures({ imageToText: Int32Array.from(imageToText), textToImage: Int32Array.from(textToImage) });

test('both directions of a small matrix by hand', () => {
  const captions = { images: ['a', 'b'], texts: ['a1', 'a2', 'b1'], imageOf: Int32Array.of(0, 0, 1) };
  const scores = [
    [0.1, 0.4, 0.5],
    [0.3, 0.2, 0.2],
  ];
  const ranks = retrievalRanks(captions, {
    imageToText: (image, row) => row.set(scores[image] ?? []),
    textToImage: (text, row) => row.set(scores.map((ofImage) => ofImage[text] ?? 0)),
  });
  // Image a: its best text a2 (.4) comes after b1 (.5). Image b: b1 (.2) comes after a1 (.3) and before its equal a2.
  assert.deepEqual([...ranks.imageToText], [2, 2]);
  assert.deepEqual([...ranks.textToImage], [2, 1, 2]);
});

test('of equal scores the later item stands first', () => {
  assert.equal(bestRank(Float32Array.of(0.5, 0.5, 0.5), [0, 2]), 1);
  assert.equal(bestRank(Float32Array.of(0.5, 0.5, 0.5), [0]), 3);
  assert.equal(bestRank(Float32Array.of(0.5, 0.5, 0.4), [0, 1]), 1);
  assert.equal(bestRank(Float32Array.of(-100, -100, 0.1), [0]), 3);
});

test('a rank is the place in a reversed stable sort', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(scores, fc.nat(), fc.nat(), (values, one, other) => {
      const positives = [one % values.length, other % values.length];
      const order = values.map((_, item) => item).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
      const expected = order.reverse().findIndex((item) => positives.includes(item)) + 1;
      assert.equal(bestRank(Float32Array.from(values), positives), expected);
    }),
  );
});

test('recalls, their mean and sum, median and mean rank', () => {
  assert.deepEqual(figures([1, 1, 6, 20], [1, 2, 11, 1]), {
    'i2t_r@1': 50,
    'i2t_r@5': 50,
    'i2t_r@10': 75,
    't2i_r@1': 50,
    't2i_r@5': 75,
    't2i_r@10': 75,
    r_mean: 62.5,
    sum_r: 375,
    i2t_medr: 3,
    i2t_meanr: 7,
    t2i_medr: 1,
    t2i_meanr: 3.75,
  });
  const [first, second] = [figures([1], [1]), figures([2], [1])];
  assert.equal(meanFigures([first, second])['i2t_r@1'], 50);
});

test('figures equal those of a plain reading of their definitions', () => {
  const ranks = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(ranks, ranks, (i2t, t2i) => {
      const found = figures(i2t, t2i);
      const recall = (of: number[], k: number) => (100 * of.filter((rank) => rank <= k).length) / of.length;
      const zeroBased = i2t.map((rank) => rank - 1).sort((a, b) => a - b);
      const middle = zeroBased.length >> 1;
      const median =
        zeroBased.length % 2 === 1
          ? (zeroBased[middle] ?? 0)
          : ((zeroBased[middle - 1] ?? 0) + (zeroBased[middle] ?? 0)) / 2;
      assert.equal(found['i2t_r@5'], recall(i2t, 5));
      assert.equal(found['t2i_r@10'], recall(t2i, 10));
      assert.equal(found['i2t_medr'], Math.floor(median) + 1);
    }),
  );
});

test('intervals hold the value, and are the same again', () => {
  const ranks = {
    imageToText: Int32Array.from({ length: 200 }, (_, image) => 1 + ((image * 7) % 13)),
    textToImage: Int32Array.from({ length: 300 }, (_, text) => 1 + ((text * 5) % 17)),
  };
  const options = { resamples: 500, seed: 3, confidence: 0.95 };
  const estimates = retrievalEstimates(ranks, options);
  assert.deepEqual(retrievalEstimates(ranks, options), estimates);
  for (const { name, value, interval } of estimates) {
    assert.ok(interval !== null && interval.low <= value && value <= interval.high, name);
  }
});

test('the top k are those of a full sort', () => {
  const scores = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 });
  fc.assert(
    fc.property(scores, fc.integer({ min: 0, max: 70 }), (values, k) => {
      const expected = values
        .map((_, item) => item)
        .sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b)
        .slice(0, k);
      assert.deepEqual(topK(Float32Array.from(values), k), expected);
    }),
  );
});
