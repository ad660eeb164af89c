import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { guessFormat, readJudgements, readTopics } from '../../../src/eval/judgements/judgements.ts';
import { bytesOf } from '../fixtures.ts';

const read = (text: string, options = {}) => readJudgements(bytesOf(text), 'judgements', { maxLabel: 2, ...options });
const rows = ({ pairs }: ReturnType<typeof read>) =>
  [...pairs.label].map((label, row) => [pairs.covers[pairs.cover[row] ?? 0], label]);

test('CBVS-20K: query, cover, address, label', () => {
  const judgements = read('大宅门演员表\td1\thttp://cdn/d1.jpg/640\t1\n大宅门演员表\td2\thttp://cdn/d2.jpg\t2\n');
  assert.equal(judgements.format, 'cbvs');
  assert.deepEqual(judgements.pairs.queries, ['大宅门演员表']);
  assert.deepEqual(rows(judgements), [
    ['d1', 1],
    ['d2', 2],
  ]);
  assert.equal(judgements.addresses.get('d1'), 'http://cdn/d1.jpg/640');
});

test('query, cover, grade', () => {
  const judgements = read('麦克风\tcover-0000\t2\n麦克风\tcover-0001\n麦克风\tcover-0001\t7\n');
  assert.equal(judgements.format, 'tsv');
  assert.deepEqual(rows(judgements), [['cover-0000', 2]]);
  assert.deepEqual(
    judgements.problems.map(({ problem, lines }) => [problem, lines]),
    [
      ['missing_columns', [2]],
      ['label_out_of_range', [3]],
    ],
  );
});

test('TREC qrels take their queries from topics; negative grades are not relevant', () => {
  const topics = readTopics(bytesOf('101\t大宅门\n102\t熊猫\n'), 'topics');
  const judgements = read('101 0 d1 2\n101\t0\td2\t-2\n103 0 d1 1\n102 0 d3\n', { topics });
  assert.equal(judgements.format, 'trec');
  assert.deepEqual(judgements.pairs.queries, ['大宅门']);
  assert.deepEqual(rows(judgements), [
    ['d1', 2],
    ['d2', 0],
  ]);
  assert.deepEqual(
    judgements.problems.map(({ problem, lines }) => [problem, lines]),
    [
      ['unknown_topic', [3]],
      ['missing_columns', [4]],
    ],
  );
  assert.throws(() => read('101 0 d1 2\n'), /the file of their queries is needed/);
});

test('tab-separated qrels are not taken for CBVS-20K because an id holds a slash', () => {
  const guess = (text: string, hasTopics = false) => guessFormat({ number: 1, text }, hasTopics);
  for (const [text, hasTopics, format] of [
    ['1\t0\tvideos/7\t2', false, 'trec'],
    ['1\tQ0\thttps://cdn/7.jpg\t2', false, 'trec'],
    ['1\t0\t/videos/7\t2', false, 'trec'],
    ['1\t3\tvideos/7\t2', false, 'trec'],
    ['1\t3\t/videos/7\t2', true, 'trec'],
    ['1 3 videos/7 2', false, 'trec'],
    ['大宅门 演员表\td1\thttp://cdn/d1.jpg/640\t1', false, 'cbvs'],
    ['大宅门\td1\tHTTPS://cdn/d1.jpg\t1', false, 'cbvs'],
    ['大宅门\t10\t/covers/10/image\t1', false, 'cbvs'],
    ['大宅门 演员表\td1\t/covers/d1/image\t1', true, 'cbvs'],
    ['大宅门\td1\t1', true, 'tsv'],
    ['{"query":"a"}', true, 'json'],
  ] as const) {
    assert.equal(guess(text, hasTopics), format, text);
  }
  const topics = readTopics(bytesOf('1\t熊猫\n'), 'topics');
  const { format, pairs } = read('1\t7\t/videos/7\t2\n', { topics });
  assert.deepEqual([format, pairs.queries, pairs.covers], ['trec', ['熊猫'], ['/videos/7']]);
});

test('JSON lines: query, id and grade, or text, image_path and label', () => {
  const judgements = read(
    '{"query":"熊猫","id":"d1","grade":2}\n{"text":"熊猫","image_path":"a/b.jpg","label":0}\nnull\n{"query":""}\n{\n',
  );
  assert.deepEqual(rows(judgements), [
    ['d1', 2],
    ['a/b.jpg', 0],
  ]);
  assert.deepEqual(
    judgements.problems.map(({ problem, lines }) => [problem, lines]),
    [
      ['missing_columns', [3, 4]],
      ['invalid_json', [5]],
    ],
  );
});

test('a file of no format, or without a judgement, is refused', () => {
  const invalid = (error: unknown) => isFailure(error, 'invalid_request');
  assert.throws(() => read(''), invalid);
  assert.throws(() => read('hello\n'), invalid);
  assert.throws(() => read('熊猫\td1\t9\n'), invalid);
});
