import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerTiming } from '../../loadtest/server-timing.ts';

test('stages and their milliseconds, in order', () => {
  assert.deepEqual(parseServerTiming('queue;dur=0.1, embed;desc="text tower";dur=5.1,recall;dur=0'), [
    ['queue', 0.1],
    ['embed', 5.1],
    ['recall', 0],
  ]);
});

test('a metric without a duration is left out', () => {
  assert.deepEqual(parseServerTiming('cache;desc=hit, embed;dur=fast, rerank;dur=2'), [['rerank', 2]]);
  assert.deepEqual(parseServerTiming(''), []);
});
