import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { rowsOf } from '../../../src/eval/judgements/judged-pairs.ts';
import { JUDGEMENT_FORMATS, readJudgements, readTopics } from '../../../src/eval/judgements/judgements.ts';
import { judgementLine, topicLine } from '../../../src/eval/judgements/write-judgements.ts';

const JUDGED = [
  { topic: 1, query: '红烧肉 做法', id: 'v1', grade: 2, address: 'https://img.example.com/v1.jpg' },
  { topic: 1, query: '红烧肉 做法', id: 'v2', grade: 0, address: '/covers/v2/image' },
  { topic: 7, query: 'cat', id: 'v1', grade: 1, address: 'https://img.example.com/v1.jpg' },
] as const;

test('what is written in any format is read back as it was', () => {
  const topics = readTopics(Buffer.from(JUDGED.map(topicLine).join('\n')), 'topics');
  for (const format of JUDGEMENT_FORMATS) {
    const text = JUDGED.map((judgement) => judgementLine(format, judgement)).join('\n');
    const read = readJudgements(Buffer.from(text), 'file', { maxLabel: 2, topics });
    assert.equal(read.format, format, 'guessed from the first line');
    assert.deepEqual(read.problems, []);
    const { pairs } = read;
    const rows = pairs.queries.flatMap((query, number) => {
      const { from, to } = rowsOf(pairs, number);
      return Array.from({ length: to - from }, (_, row) => [
        query,
        pairs.covers[pairs.cover[from + row] ?? -1],
        pairs.label[from + row],
      ]);
    });
    assert.deepEqual(
      rows,
      JUDGED.map(({ query, id, grade }) => [query, id, grade]),
      format,
    );
  }
});

test('a query with a tab stays one column; an id that a format cannot hold is refused', () => {
  const odd = { topic: 3, query: 'a\tb\nc', id: 'x y', grade: 1, address: '/covers/x%20y/image' } as const;
  assert.equal(judgementLine('tsv', odd), 'a b c\tx y\t1');
  assert.equal(topicLine(odd), '3\ta b c');
  assert.equal(judgementLine('json', odd), '{"query":"a\\tb\\nc","id":"x y","grade":1}');
  assert.throws(
    () => judgementLine('trec', odd),
    (error) => isFailure(error, 'invalid_request'),
  );
  assert.throws(
    () => judgementLine('cbvs', { ...odd, id: 'x\ty' }),
    (error) => isFailure(error, 'invalid_request'),
  );
});
