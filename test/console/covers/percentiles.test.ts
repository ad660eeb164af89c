import assert from 'node:assert/strict';
import { test } from 'node:test';
import { between, percentile } from '../../../console/src/covers/percentiles.ts';
import { createWindow } from '../../../console/src/covers/window.ts';
import type { Stats } from '../../../console/src/service/types.ts';

const durations = (...counts: number[]) => ({
  count: counts.at(-1) ?? 0,
  sum_s: 0,
  buckets: [0.1, 0.5, 1].map((le_s, place) => ({ le_s, count: counts[place] ?? 0 })),
});

test('a percentile lies within its bucket in proportion', () => {
  const read = durations(10, 90, 100, 100);
  assert.deepEqual(percentile(read, 0.1), { seconds: 0.1, isMore: false });
  assert.deepEqual(percentile(read, 0.5), { seconds: 0.1 + (0.4 * 40) / 80, isMore: false });
  assert.deepEqual(percentile(read, 0.95), { seconds: 0.75, isMore: false });
  assert.deepEqual(percentile(durations(0, 0, 0, 5), 0.5), { seconds: 1, isMore: true });
  assert.equal(percentile(durations(0, 0, 0, 0), 0.5), undefined);
});

test('what lies between two readings is their difference; a new process begins anew', () => {
  assert.deepEqual(between(durations(1, 2, 3, 3), durations(1, 5, 9, 9)), durations(0, 3, 6, 6));
  assert.deepEqual(between(durations(5, 5, 5, 5), durations(1, 1, 1, 1)), durations(1, 1, 1, 1));
  assert.deepEqual(between(undefined, durations(1, 1, 1, 1)), durations(1, 1, 1, 1));
});

const stats = (uptime_s: number, ranked: number, shed: number, degraded: number): Stats => ({
  uptime_s,
  admission: {},
  rank: {
    latency: durations(ranked, ranked, ranked, ranked),
    stages: {},
    degraded: { 'rerank: overloaded': degraded },
  },
  shed: { rank: { overloaded: shed }, index: { draining: 9 } },
  items: {},
});

test('lately is the last minute where anything happened in it, and else all since the start', () => {
  const window = createWindow(60_000);
  const first = window.add(stats(100, 50, 0, 0), 0);
  assert.deepEqual([first.seconds, first.latency.count, first.perSecond], [undefined, 50, 0.5]);
  const later = window.add(stats(110, 70, 5, 2), 10_000);
  assert.deepEqual(
    [later.seconds, later.latency.count, later.shed, later.degraded, later.perSecond],
    [10, 20, 5, 2, 2],
  );
  const muchLater = window.add(stats(210, 71, 5, 2), 110_000);
  assert.equal(muchLater.seconds, undefined, 'the readings of before are too old');
  assert.equal(window.add(stats(3, 1, 0, 0), 112_000).latency.count, 1, 'the service was started anew');
});
