import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CoverRecord, Signals } from '../../src/core/types.ts';
import { type Candidate, fuse, signalsOf, weigh } from '../../src/ranking/fuse.ts';

function candidate(
  id: string,
  recallRank: number,
  cosine: number,
  reranked?: Signals,
  ocrPresence?: number,
): Candidate {
  const cover: CoverRecord = {
    id,
    sequence: recallRank,
    imageUrl: undefined,
    title: undefined,
    attributes: {},
    imageHash: undefined,
    ocrPresence,
    hasTokens: true,
    hasThumbnail: false,
  };
  return { cover, cosine, recallRank, reranked };
}

test('the score is the weighted sum of the signals, and the contributions are its terms', () => {
  const [hit] = fuse([candidate('a', 1, 0.5, { ocr_semantic: 0.8 }, 0.5)], {
    cosine: 2,
    ocr_semantic: 0.25,
    ocr_match: 1,
  });
  assert.deepEqual(hit?.signals, { cosine: 0.5, ocr_presence: 0.5, ocr_semantic: 0.8, ocr_match: 0.4 });
  assert.deepEqual(hit?.contributions, { cosine: 1, ocr_semantic: 0.2, ocr_match: 0.4 });
  assert.equal(hit?.relevanceScore, 1.6);
});

test('reranked covers stand before the others whatever their scores', () => {
  const fused = fuse(
    [candidate('first', 1, 0.9), candidate('second', 2, 0.2, { itm: 0.1 }), candidate('third', 3, 0.1, { itm: 0.9 })],
    { cosine: 1, itm: 1 },
  );
  assert.deepEqual(
    fused.map((hit) => hit.candidate.cover.id),
    ['third', 'second', 'first'],
  );
});

test('equal scores keep recall order', () => {
  const fused = fuse([candidate('b', 1, 0.5), candidate('a', 2, 0.5), candidate('c', 3, 0.5)], { cosine: 0 });
  assert.deepEqual(
    fused.map((hit) => hit.candidate.cover.id),
    ['b', 'a', 'c'],
  );
});

test("R2D2's score is the mean of its two heads", () => {
  assert.equal(signalsOf(0.1, undefined, { itm_text: 0.2, itm_image: 0.6 })['itm'], 0.4);
  assert.equal(signalsOf(0.1, undefined, { itm_text: 0.2 })['itm'], undefined);
});

test('a weight for a signal that a pair lacks adds nothing', () => {
  assert.deepEqual(weigh({ cosine: 0.5 }, { cosine: 1, itm: 3 }), {
    contributions: { cosine: 0.5 },
    relevanceScore: 0.5,
  });
});
