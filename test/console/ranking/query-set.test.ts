import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQuerySet, MAX_QUERIES, parseQuerySet } from '../../../console/src/ranking/query-set.ts';

test('a query set is one query a line, each once, comments and empty lines left out', () => {
  assert.deepEqual(parseQuerySet('\uFEFF红烧肉\r\n\n# a comment\n#\n  cat  \n红烧肉\n'), ['红烧肉', 'cat']);
});

test('files of judgements and topics give their queries', () => {
  assert.deepEqual(parseQuerySet('红烧肉\tv1\t2\n红烧肉\tv2\t0\ncat\tv1\thttps://h/v1.jpg\t1'), ['红烧肉', 'cat']);
  assert.deepEqual(parseQuerySet('1\t红烧肉\n2\tcat'), ['红烧肉', 'cat']);
  assert.deepEqual(parseQuerySet('{"query":"cat","id":"v1","grade":1}\n{"text":1}'), ['cat']);
});

test('a query of digits in a file of judgements is no number of a topic', () => {
  assert.deepEqual(parseQuerySet('520\tcover-7\t2\n1314\tv1\thttps://h/v1.jpg\t1\n996'), ['520', '1314', '996']);
});

test('hashtags and what only looks like JSON are queries', () => {
  assert.deepEqual(parseQuerySet('#美食\n#cats of today\n{broken\n{"query":\tv1\t2'), [
    '#美食',
    '#cats of today',
    '{broken',
    '{"query":',
  ]);
});

test('a set has a bound', () => {
  const many = Array.from({ length: MAX_QUERIES + 5 }, (_, number) => `query ${number}`);
  assert.equal(parseQuerySet(many.join('\n')).length, MAX_QUERIES);
  const set = createQuerySet();
  set.take(many);
  assert.equal(set.queries.value.length, MAX_QUERIES);
});

test('queries given as a list stay what they are until something is typed', () => {
  const set = createQuerySet();
  const judged = ['# five', '7\tdwarfs', '{"query":"cat"}', 'two\nlines'];
  set.take(judged);
  assert.deepEqual(set.queries.value, judged);
  set.type('cat\n#dog');
  assert.deepEqual(set.queries.value, ['cat', '#dog']);
  assert.equal(set.text.value, 'cat\n#dog');
});
