import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveDepths, FIRST_SETTINGS, rankPath, rankRequest } from '../../../console/src/ranking/rank-settings.ts';
import type { Settings } from '../../../console/src/service/types.ts';

const offered = { defaults: { top_n: 10, recall_k: 100, rerank_k: 50, deadline_ms: 500 } } as Settings;

test('what nobody set is left to the service', () => {
  assert.deepEqual(rankRequest('猫', { ...FIRST_SETTINGS, topN: 5, deadlineMs: 700 }), {
    query: '猫',
    top_n: 5,
    deadline_ms: 700,
    include: ['cover', 'signals', 'timings'],
  });
  const set = { ...FIRST_SETTINGS, recallK: 40, rerankK: 0, weights: { cosine: 2 } };
  const { recall_k, rerank_k, weights } = rankRequest('猫', set);
  assert.deepEqual([recall_k, rerank_k, weights], [40, 0, { cosine: 2 }]);
});

test('another service has a path of its own', () => {
  assert.equal(rankPath(FIRST_SETTINGS), '/rank');
  assert.equal(rankPath({ ...FIRST_SETTINGS, service: 'b16' }), '/services/b16/rank');
});

test('depths follow one another as they do in the service', () => {
  assert.deepEqual(effectiveDepths(FIRST_SETTINGS, offered), { recallK: 100, rerankK: 50 });
  assert.deepEqual(effectiveDepths({ ...FIRST_SETTINGS, topN: 150 }, offered), { recallK: 150, rerankK: 50 });
  assert.deepEqual(effectiveDepths({ ...FIRST_SETTINGS, recallK: 30 }, offered), { recallK: 30, rerankK: 30 });
});
