import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRequestSource, parseMix } from '../../loadtest/mix.ts';
import { createQuerySource } from '../../loadtest/queries.ts';
import { createRandom } from '../../loadtest/random.ts';

const PARAMETERS = { topN: 5, recallK: 40, rerankK: 20, deadlineMs: 300 };

test('a mix names kinds and weights', () => {
  assert.deepEqual(parseMix('rank-fresh=3, rerank-repeated=0.5'), { 'rank-fresh': 3, 'rerank-repeated': 0.5 });
});

test('a wrong mix is refused with the reason', () => {
  assert.throws(() => parseMix('rank=1'), /"rank" is not a kind of request; there are rank-repeated, /);
  assert.throws(() => parseMix('rank-fresh'), /"rank-fresh" needs a weight/);
  assert.throws(() => parseMix('rank-fresh=-1'), /needs a weight of 0 or more/);
  assert.throws(() => parseMix('rank-fresh=0'), /above 0/);
});

test('requests are drawn by weight, and only the reranked kinds ask for reranking', () => {
  const random = createRandom(3);
  const queries = createQuerySource(['a', 'b', 'c'], random);
  const mix = parseMix('rank-repeated=1,rerank-fresh=3');
  const next = createRequestSource(mix, queries, PARAMETERS, random);
  const requests = Array.from({ length: 4000 }, next);

  const reranked = requests.filter(({ kind }) => kind === 'rerank-fresh');
  assert.ok(Math.abs(reranked.length / requests.length - 0.75) < 0.03, `${reranked.length} of ${requests.length}`);
  for (const { kind, body } of requests) {
    const { query, ...rest } = JSON.parse(body) as Record<string, unknown>;
    const rerank_k = kind === 'rerank-fresh' ? 20 : 0;
    assert.deepEqual(rest, { top_n: 5, recall_k: 40, rerank_k, deadline_ms: 300 });
    assert.equal(queries.primer.includes(String(query)), kind === 'rank-repeated');
  }
});
