import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { queryOfRows } from '../../../src/eval/judgements/judged-pairs.ts';
import { formatPredictions, readPredictions } from '../../../src/eval/judgements/predictions.ts';
import { describeProblem } from '../../../src/eval/judgements/row-problems.ts';
import { bytesOf, FIXTURES } from '../fixtures.ts';

test('predictions are written as they were read', async () => {
  const bytes = await readFile(join(FIXTURES, 'predictions.tsv'));
  const { pairs, scores } = readPredictions(bytes, 'predictions');
  assert.equal(formatPredictions(pairs, scores), bytes.toString('utf8'));
});

test('rows of a query that lie apart in the file are brought together and written back apart', () => {
  const text = '2\ta\tx\t0.5\n1\tb\ty\t0.25\n0\ta\tz\t0.75\n';
  const { pairs, scores } = readPredictions(bytesOf(text), 'predictions');
  assert.deepEqual(pairs.queries, ['a', 'b']);
  assert.deepEqual([...pairs.starts], [0, 2, 3]);
  assert.deepEqual([...queryOfRows(pairs)], [0, 0, 1]);
  assert.deepEqual([...pairs.label], [2, 0, 1]);
  assert.deepEqual([...scores], [0.5, 0.75, 0.25]);
  assert.equal(formatPredictions(pairs, scores), text);
});

test('bad rows are left out, counted and named by line; repeated ones are kept', () => {
  const text = [
    '2\t大宅门\tx\t0.5',
    '2\t大宅门\tx',
    '3\t大宅门\ty\t0.5',
    '-1\t大宅门\ty\t0.5',
    '1.5\t大宅门\ty\t0.5',
    '1\t大宅门\ty\tnan',
    '1\t大宅门\ty\tInfinity',
    '1\t\ty\t0.5',
    '1\t大宅门\ty\t0.5\tmore',
    '2\t大宅门\tx\t0.5',
    '0\t大宅门\tx\t0.5',
    '',
  ].join('\n');
  const { pairs, problems } = readPredictions(bytesOf(text), 'predictions');
  assert.equal(pairs.label.length, 3);
  assert.deepEqual(
    problems.map(({ problem, count, lines, effect }) => [problem, count, lines, effect]),
    [
      ['missing_columns', 2, [2, 8], 'left out'],
      ['label_out_of_range', 3, [3, 4, 5], 'left out'],
      ['invalid_score', 2, [6, 7], 'left out'],
      ['extra_columns', 1, [9], 'left out'],
      ['duplicate_pair', 1, [10], 'kept'],
      ['conflicting_label', 1, [11], 'kept'],
    ],
  );
  assert.equal(problems.map(describeProblem)[0], '2 rows left out: has too few columns or an empty one (lines 2, 8)');
});

test('a byte order mark and Windows line ends are no part of the data; spaces in a query are', () => {
  const { pairs, scores } = readPredictions(bytesOf('\ufeff2\ta\u00a0\tx\t0.5\r\n1\ta\ty\t0.25\r\n'), 'predictions');
  assert.deepEqual(pairs.queries, ['a\u00a0', 'a']);
  assert.deepEqual([...scores], [0.5, 0.25]);
});

test('a file without a usable row, or of other bytes, is refused by name', () => {
  const invalid = (message: RegExp) => (error: unknown) =>
    isFailure(error, 'invalid_request') && message.test(error.detail);
  assert.throws(() => readPredictions(bytesOf('\n'), 'empty.tsv'), invalid(/empty\.tsv holds no usable row/));
  assert.throws(() => readPredictions(Uint8Array.of(0xff, 0xfe, 0x32), 'x.tsv'), invalid(/x\.tsv is not UTF-8/));
});
