import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../../src/core/errors.ts';
import { checkNesting, parseRank } from '../../../../src/http/routes/rank/parse.ts';
import type { RankBody } from '../../../../src/http/schemas/rank.ts';

const body = (changes: Partial<RankBody>): RankBody => ({
  query: '红烧肉',
  top_n: 10,
  deadline_ms: 500,
  include: ['cover'],
  ...changes,
});

function pathsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    assert.ok(isFailure(error, 'invalid_request'));
    return (error.errors ?? []).map(({ path }) => path);
  }
  return [];
}

test('defaults follow one another', () => {
  const { recallK, rerankK } = parseRank(body({}));
  assert.deepEqual([recallK, rerankK], [100, 50]);
  assert.equal(parseRank(body({ top_n: 300 })).recallK, 300);
  assert.equal(parseRank(body({ recall_k: 20 })).rerankK, 20);
  assert.equal(parseRank(body({ rerank_k: 0 })).rerankK, 0);
});

test('the query is trimmed, and its length counted in code points after that', () => {
  assert.equal(parseRank(body({ query: '  猫 \n' })).query, '猫');
  const emoji = '🍜'.repeat(1000);
  assert.equal(parseRank(body({ query: `   ${emoji}   ` })).query, emoji);
  assert.deepEqual(
    pathsOf(() => parseRank(body({ query: `${emoji}x` }))),
    ['/query'],
  );
  assert.deepEqual(
    pathsOf(() => parseRank(body({ query: 'x'.repeat(1001) }))),
    ['/query'],
  );
});

test('fields that contradict each other are all told', () => {
  assert.deepEqual(
    pathsOf(() => parseRank(body({ top_n: 20, recall_k: 10, rerank_k: 11, candidates: ['a', '字'.repeat(100)] }))),
    ['/candidates/1', '/recall_k', '/rerank_k'],
  );
});

test('a candidate named twice is ranked once', () => {
  assert.deepEqual(parseRank(body({ candidates: ['b', 'a', 'b'] })).candidates, ['b', 'a']);
});

test('conditions may be negated eight times, not more, and depth costs no stack', () => {
  const negated = (times: number) => {
    let condition: unknown = 1;
    for (let depth = 0; depth < times; depth++) condition = { not: condition };
    return { query: 'x', filter: { 'a/b': condition } };
  };
  assert.deepEqual(
    pathsOf(() => checkNesting(negated(8))),
    [],
  );
  assert.deepEqual(
    pathsOf(() => checkNesting(negated(9))),
    ['/filter/a~1b'],
  );
  assert.deepEqual(
    pathsOf(() => checkNesting(negated(100_000))),
    ['/filter/a~1b'],
  );
  for (const other of [undefined, null, 1, { filter: null }, { filter: [] }, { filter: { a: null } }]) {
    checkNesting(other);
  }
});
