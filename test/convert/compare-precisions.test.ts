import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparePrecisions, rankCorrelation } from '../../src/convert/compare-precisions.ts';

test('ranks correlate as Spearman defines it, ties sharing their ranks', () => {
  assert.equal(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 40]), 1);
  assert.equal(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1]), -1);
  // 1 - 6 * (1 + 1) / (4 * 15)
  assert.ok(Math.abs(rankCorrelation([1, 2, 3, 4], [2, 1, 3, 4]) - 0.8) < 1e-12);
  assert.ok(Math.abs(rankCorrelation([1, 1, 2], [1, 2, 3]) - Math.sqrt(3) / 2) < 1e-12);
  assert.equal(rankCorrelation([5], [7]), 1);
  assert.equal(rankCorrelation([1, 1], [1, 2]), 0);
});

test('losses are told per embedding, per signal and per ranking', () => {
  const unit = (x: number, y: number): Float32Array => Float32Array.of(x, y);
  const loss = comparePrecisions(
    {
      texts: [unit(1, 0), unit(0, 1)],
      images: [unit(1, 0)],
      signals: [
        [{ cosine: 1 }, { cosine: 0.5 }],
        [{ cosine: 0 }, { cosine: 0.25 }],
      ],
      scores: [
        [1, 0.5],
        [0, 0.25],
      ],
    },
    {
      texts: [unit(0.6, 0.8), unit(0, 1)],
      images: [unit(1, 0)],
      signals: [
        [{ cosine: 0.5 }, { cosine: 0.75 }],
        [{ cosine: 0 }, { cosine: 0.25 }],
      ],
      scores: [
        [0.5, 0.75],
        [0, 0.25],
      ],
    },
  );
  assert.deepEqual([loss.texts, loss.images], [2, 1]);
  assert.ok(Math.abs(loss.textCosine.mean - 0.8) < 1e-6 && Math.abs(loss.textCosine.least - 0.6) < 1e-6);
  assert.equal(loss.imageCosine.least, 1);
  assert.deepEqual(loss.signals, { cosine: { mean: 0.1875, largest: 0.5, rankCorrelation: 0 } });
  assert.equal(loss.rankCorrelation, 0);
  assert.equal(loss.sameFirst, 0.5);
});
