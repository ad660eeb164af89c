import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_QUERIES, parseQuerySet } from '../../../console/src/ranking/query-set.ts';

test('a query set is one query a line, each once, comments and empty lines left out', () => {
  assert.deepEqual(parseQuerySet('\uFEFF红烧肉\r\n\n# a comment\n  cat  \n红烧肉\n'), ['红烧肉', 'cat']);
});

test('files of judgements and topics give their queries', () => {
  assert.deepEqual(parseQuerySet('红烧肉\tv1\t2\n红烧肉\tv2\t0\ncat\tv1\thttps://h/v1.jpg\t1'), ['红烧肉', 'cat']);
  assert.deepEqual(parseQuerySet('1\t红烧肉\n2\tcat'), ['红烧肉', 'cat']);
  assert.deepEqual(parseQuerySet('{"query":"cat","id":"v1","grade":1}\n{"text":1}\n{broken'), ['cat']);
});

test('a set has a bound', () => {
  const many = Array.from({ length: MAX_QUERIES + 5 }, (_, number) => `query ${number}`);
  assert.equal(parseQuerySet(many.join('\n')).length, MAX_QUERIES);
});
