import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { createBestScores } from '../../../src/store/graph/exact-scan.ts';

test('the best k are kept, and every tie with the last of them', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: 1, max: 12 }), (scores, k) => {
      const best = createBestScores<number>(k);
      for (const [place, score] of scores.entries()) best.offer(place, score);
      const { items, scores: kept } = best.take();
      const sorted = scores.toSorted((a, b) => b - a);
      const least = sorted[k - 1] ?? Number.NEGATIVE_INFINITY;
      assert.deepEqual(
        kept,
        sorted.filter((score) => score >= least),
      );
      assert.equal(new Set(items).size, items.length);
      for (const [i, item] of items.entries()) assert.equal(scores[item], kept[i]);
    }),
  );
});
