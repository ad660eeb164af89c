import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOf } from '../../../console/src/explain/place.ts';
import type { Hit } from '../../../console/src/service/types.ts';

/** A ranking by cosine of `count` covers, the first `rerankK` of them reranked; itm is the reverse of the cosine. */
function ranking(count: number, rerankK: number, itmWeight: number): Hit[] {
  const hits = Array.from({ length: count }, (_, place) => {
    const isReranked = place < rerankK;
    const cosine = 1 - (place + 1) / 100;
    const signals = isReranked ? { cosine, itm: (place + 1) / 10 } : { cosine };
    const relevance_score = cosine + (isReranked ? (itmWeight * (place + 1)) / 10 : 0);
    const stage = isReranked ? ('rerank' as const) : ('recall' as const);
    return { id: `c${place + 1}`, rank: 0, relevance_score, stage, recall_rank: place + 1, signals };
  });
  return hits
    .sort(
      (a, b) => Number(b.stage === 'rerank') - Number(a.stage === 'rerank') || b.relevance_score - a.relevance_score,
    )
    .map((hit, place) => ({ ...hit, rank: place + 1 }));
}

const weights = { cosine: 1, itm: 1 };

test('a cover of the ranking stands where the ranking has it', () => {
  const hits = ranking(30, 10, 1);
  for (const hit of hits) {
    const subject = { id: hit.id, signals: { itm: hit.recall_rank / 10, ...hit.signals } };
    const place = placeOf(subject, hits, { recallK: 30, rerankK: 10, weights });
    assert.deepEqual(place, { kind: 'ranked', recallRank: hit.recall_rank, rank: hit.rank, stage: hit.stage }, hit.id);
  }
});

test('a picture that is in no index gets the rank that its scores earn, and pushes the last one out', () => {
  const hits = ranking(30, 10, 1);
  const at = (cosine: number, itm: number) =>
    placeOf({ id: undefined, signals: { cosine, itm } }, hits, { recallK: 30, rerankK: 10, weights });
  assert.deepEqual(at(0.999, 5), { kind: 'hypothetical', recallRank: 1, rank: 1, stage: 'rerank' });
  // Nine of the ten reranked covers stay; all of them have a higher score.
  assert.deepEqual(at(0.999, -5), { kind: 'hypothetical', recallRank: 1, rank: 10, stage: 'rerank' });
  // Behind the rerank depth the reranker's signal does not count, however high it is.
  assert.deepEqual(at(0.885, 9), { kind: 'hypothetical', recallRank: 12, rank: 12, stage: 'recall' });
});

test('a cover beyond the recall depth is not looked at, and its recall rank says how far it is off', () => {
  const hits = ranking(30, 10, 1);
  const settings = { recallK: 20, rerankK: 10, weights };
  assert.deepEqual(placeOf({ id: 'c25', signals: { cosine: 0.75, itm: 9 } }, hits, settings), {
    kind: 'not recalled',
    recallRank: 25,
  });
  assert.deepEqual(placeOf({ id: undefined, signals: { cosine: 0.755, itm: 9 } }, hits, settings), {
    kind: 'not recalled',
    recallRank: 25,
  });
  assert.deepEqual(placeOf({ id: 'unseen', signals: { cosine: 0.1 } }, hits, settings), {
    kind: 'beyond',
    recallRank: 30,
  });
});

test('a cover without image tokens cannot be reranked and stands below those that were', () => {
  const place = placeOf({ id: undefined, signals: { cosine: 0.999 } }, ranking(30, 10, 0), {
    recallK: 30,
    rerankK: 10,
    weights,
  });
  assert.deepEqual(place, { kind: 'hypothetical', recallRank: 1, rank: 10, stage: 'recall' });
});
