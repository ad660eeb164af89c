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

test('a cover of the ranking stands where the ranking has it, with the score that it has there', () => {
  const hits = ranking(30, 10, 1);
  for (const hit of hits) {
    const subject = { id: hit.id, signals: { itm: hit.recall_rank / 10, ...hit.signals } };
    assert.deepEqual(
      placeOf(subject, hits, { recallK: 30, rerankK: 10, weights }),
      {
        kind: 'ranked',
        recallRank: hit.recall_rank,
        rank: hit.rank,
        stage: hit.stage,
        score: hit.relevance_score,
        // Every weight is 1, so that each signal that counts contributes itself.
        contributions: hit.signals,
      },
      hit.id,
    );
  }
});

test('a picture that is in no index gets the rank that its scores earn, and pushes the last one out', () => {
  const hits = ranking(30, 10, 1);
  const at = (cosine: number, itm: number) =>
    placeOf({ id: undefined, signals: { cosine, itm } }, hits, { recallK: 30, rerankK: 10, weights });
  const first = { kind: 'hypothetical', recallRank: 1, stage: 'rerank' };
  assert.deepEqual(at(0.5, 5).kind, 'not recalled');
  assert.deepEqual(at(0.999, 5), { ...first, rank: 1, score: 5.999, contributions: { cosine: 0.999, itm: 5 } });
  // Nine of the ten reranked covers stay; all of them have a higher score.
  assert.deepEqual(at(0.999, -5), { ...first, rank: 10, score: -4.001, contributions: { cosine: 0.999, itm: -5 } });
  // Behind the rerank depth the reranker's signal does not count, however high it is.
  assert.deepEqual(at(0.885, 9), {
    kind: 'hypothetical',
    recallRank: 12,
    rank: 12,
    stage: 'recall',
    score: 0.885,
    contributions: { cosine: 0.885 },
  });
});

test('a picture behind the rerank depth pushes nobody out of the reranked covers', () => {
  const hits = ranking(30, 10, -1).map((hit) => ({ ...hit, signals: { ...hit.signals, ocr_presence: 0 } }));
  const signals = { cosine: 0.885, ocr_presence: 1 };
  const place = placeOf({ id: undefined, signals }, hits, {
    recallK: 30,
    rerankK: 10,
    weights: { cosine: 1, itm: -1, ocr_presence: 1 },
  });
  assert.ok('rank' in place);
  assert.deepEqual([place.recallRank, place.rank, place.stage], [12, 11, 'recall']);
});

test('a cover beyond the recall depth is not looked at, and its recall rank says how far it is off', () => {
  const hits = ranking(30, 10, 1);
  const settings = { recallK: 20, rerankK: 10, weights };
  const kindAndRank = (id: string | undefined, cosine: number) => {
    const { kind, recallRank, contributions } = placeOf({ id, signals: { cosine, itm: 9 } }, hits, settings);
    assert.deepEqual(contributions, { cosine, itm: 9 }, 'what reranking would say is told');
    return [kind, recallRank];
  };
  assert.deepEqual(kindAndRank('c25', 0.75), ['not recalled', 25]);
  assert.deepEqual(kindAndRank(undefined, 0.755), ['not recalled', 25]);
  assert.deepEqual(kindAndRank('unseen', 0.1), ['beyond', 30]);
});

test('a cover without image tokens cannot be reranked and stands below those that were', () => {
  const place = placeOf({ id: undefined, signals: { cosine: 0.999 } }, ranking(30, 10, 0), {
    recallK: 30,
    rerankK: 10,
    weights,
  });
  assert.ok('rank' in place);
  assert.deepEqual([place.kind, place.recallRank, place.rank, place.stage], ['hypothetical', 1, 10, 'recall']);
});
