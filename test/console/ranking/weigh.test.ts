import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weigh, weightOf } from '../../../console/src/ranking/weigh.ts';

test('a score is the sum of its terms, and what has no weight has no term', () => {
  const signals = { cosine: 0.5, ocr_presence: 0.25, itm: 0 };
  assert.deepEqual(weigh(signals, { cosine: 2, ocr_presence: 0, itm: 3, other: 1 }), {
    contributions: { cosine: 1, itm: 0 },
    score: 1,
  });
});

test('the weight of a term is read off it, whoever weighed it', () => {
  const signals = { cosine: 0.31, itm: -0.8, ocr_presence: 0, ocr_match: 0.4 };
  const { contributions } = weigh(signals, { cosine: 1.5, itm: -0.3, ocr_presence: 0.7 });
  const weightIn = (name: keyof typeof signals) => weightOf(signals[name], contributions[name]);
  assert.ok(Math.abs((weightIn('cosine') ?? 0) - 1.5) < 1e-12);
  assert.ok(Math.abs((weightIn('itm') ?? 0) + 0.3) < 1e-12);
  assert.equal(weightIn('ocr_presence'), undefined, 'a signal of 0 hides its weight');
  assert.equal(weightIn('ocr_match'), undefined, 'what does not count has none');
});
