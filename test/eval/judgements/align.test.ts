import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignPredictions } from '../../../src/eval/judgements/align.ts';
import { readPredictions } from '../../../src/eval/judgements/predictions.ts';
import { bytesOf } from '../fixtures.ts';

const align = (a: string, b: string) =>
  alignPredictions(readPredictions(bytesOf(a), 'a'), readPredictions(bytesOf(b), 'b'));

test('rows meet by query and cover, repeated ones in their order, and those of one file alone are named', () => {
  const { pairs, a, b, onlyA, onlyB } = align(
    '2\tq\tx\t1\n2\tq\tx\t2\n0\tq\ty\t3\n1\tr\tz\t4\n',
    '0\tq\ty\t30\n2\tq\tx\t10\n2\tq\tx\t20\n1\ts\tz\t40\n',
  );
  assert.deepEqual([...pairs.label], [2, 2, 0]);
  assert.deepEqual([...a], [1, 2, 3]);
  assert.deepEqual([...b], [10, 20, 30]);
  assert.deepEqual(onlyA[0]?.lines, [4]);
  assert.deepEqual(onlyB[0]?.lines, [4]);
});

test('files that judge a pair differently, or share none, cannot be compared', () => {
  assert.throws(() => align('2\tq\tx\t1\n', '1\tq\tx\t1\n'), /line 1 and line 1/);
  assert.throws(() => align('2\tq\tx\t1\n', '2\tq\ty\t1\n'), /no pair of query and cover in common/);
});
