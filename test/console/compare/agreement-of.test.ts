import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanAgreement } from '../../../console/src/compare/agreement-of.ts';

test('each figure is averaged over the queries that have it', () => {
  const judged = { overlap: 1, rbo: 0.8, tau: 1, ndcgA: 0.5, ndcgB: 0.25 };
  const notJudged = { overlap: 0.5, rbo: 0.4, tau: undefined, ndcgA: undefined, ndcgB: undefined };
  const { rbo, ...rest } = meanAgreement([judged, notJudged]);
  assert.deepEqual(rest, { overlap: 0.75, tau: 1, ndcgA: 0.5, ndcgB: 0.25 });
  assert.ok(Math.abs((rbo ?? 0) - 0.6) < 1e-12);
  assert.equal(meanAgreement([notJudged]).ndcgA, undefined);
  assert.equal(meanAgreement([]).overlap, undefined);
});
