import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kendallTau, ndcgAt, overlapAt, rankBiasedOverlap } from '../../../console/src/ranking/agreement.ts';

const list = (letters: string) => [...letters];
const near = (actual: number | undefined, expected: number) =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);

test('overlap counts what both have among the first k', () => {
  assert.equal(overlapAt(list('abcd'), list('abcd'), 4), 1);
  assert.equal(overlapAt(list('abcd'), list('badc'), 2), 1);
  assert.equal(overlapAt(list('abcd'), list('axyz'), 4), 0.25);
  assert.equal(overlapAt(list('abcd'), list('wxyz'), 4), 0);
  assert.equal(overlapAt(list('ab'), list('abcd'), 10), 0.5, 'a list that ends early lacks the rest');
  assert.equal(overlapAt([], [], 10), 1);
});

test('rank-biased overlap is 1 for equal lists, 0 for disjoint ones, and weighs the top most', () => {
  near(rankBiasedOverlap(list('abcdef'), list('abcdef')), 1);
  near(rankBiasedOverlap(list('abc'), list('xyz')), 0);
  // By hand, p = 0.9, d = 1..3: overlaps 0, 2/2, 3/3, so 1 · 0.9³ + (0.1 / 0.9)(0 + 0.9² + 0.9³).
  near(rankBiasedOverlap(list('abc'), list('bac')), 0.729 + (0.1 / 0.9) * (0.81 + 0.729));
  const lostTop = rankBiasedOverlap(list('abcdefgh'), list('xbcdefgh'));
  const lostEnd = rankBiasedOverlap(list('abcdefgh'), list('abcdefgx'));
  assert.ok(lostTop < lostEnd);
  near(rankBiasedOverlap([], []), 1);
  near(rankBiasedOverlap(list('a'), []), 0);
});

test('Kendall counts the pairs in order among what both have', () => {
  assert.equal(kendallTau(list('abcd'), list('abcd')), 1);
  assert.equal(kendallTau(list('abcd'), list('dcba')), -1);
  near(kendallTau(list('abcd'), list('abdc')), 4 / 6);
  assert.equal(kendallTau(list('axbyc'), list('abc')), 1);
  assert.equal(kendallTau(list('ab'), list('bc')), undefined);
});

test('NDCG has the gains of the evaluation, and the ideal of all that was judged', () => {
  const grades = new Map([
    ['a', 2],
    ['b', 1],
    ['c', 0],
  ]);
  near(ndcgAt(list('abc'), grades, 10), 1);
  const ideal = 3 + 1 / Math.log2(3);
  near(ndcgAt(list('bca'), grades, 10), (1 + 3 / Math.log2(4)) / ideal);
  near(ndcgAt(list('xyzb'), grades, 10), 1 / Math.log2(5) / ideal);
  near(ndcgAt(list('xyz'), grades, 2), 0);
  assert.equal(ndcgAt(list('abc'), new Map([['a', 0]]), 10), undefined);
});
