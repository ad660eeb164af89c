import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRankRecorder, type RankAnswer } from '../../loadtest/recorder.ts';

const OK: RankAnswer = {
  kind: 'rank-fresh',
  status: 200,
  latencyMs: 10,
  serverTiming: 'queue;dur=0.1, embed;dur=4, total;dur=6',
  body: '{"results":[],"degraded":[]}',
};
const DEGRADED = '{"degraded":[{"stage":"rerank","reason":"deadline_exceeded","reranked":16,"wanted":50}]}';

test('refusals and failures are counted and stay out of the latencies', () => {
  const recorder = createRankRecorder(() => 0);
  recorder.answered(OK);
  recorder.answered({ ...OK, latencyMs: 30 });
  recorder.answered({ ...OK, status: 429, latencyMs: 0.5, serverTiming: undefined, body: '{"code":"overloaded"}' });
  recorder.answered({ ...OK, status: 503, latencyMs: 0.5, serverTiming: undefined, body: '{}' });
  recorder.failed('ECONNRESET');
  recorder.failed('timeout', 'rank-fresh');
  const { rank, kinds } = recorder.finish(2);

  assert.equal(rank.requests, 6);
  assert.equal(rank.throughputPerSecond, 1);
  assert.deepEqual(rank.statuses, { 200: 2, 429: 1, 503: 1 });
  assert.deepEqual(rank.failures, { ECONNRESET: 1, timeout: 1 });
  assert.equal(rank.shed, 1);
  assert.deepEqual(rank.refused, { '429 overloaded': 1, 503: 1 });
  assert.equal(rank.latencyMs.count, 2);
  assert.equal(rank.latencyMs.max, 30);
  assert.deepEqual(kinds['rank-fresh']?.failures, { timeout: 1 });
});

test('stages are kept by kind, degradations by stage and reason', () => {
  const recorder = createRankRecorder(() => 0);
  recorder.answered(OK);
  recorder.answered({ ...OK, kind: 'rerank-fresh', serverTiming: 'rerank;dur=25', body: DEGRADED });
  recorder.answered({ ...OK, kind: 'rerank-fresh', serverTiming: 'rerank;dur=35', body: DEGRADED });
  const { rank, kinds } = recorder.finish(1);

  assert.deepEqual(rank.degraded, { 'rerank: deadline_exceeded': 2 });
  assert.deepEqual(Object.keys(kinds), ['rank-fresh', 'rerank-fresh']);
  assert.deepEqual(Object.keys(kinds['rank-fresh']?.stagesMs ?? {}), ['queue', 'embed', 'total']);
  assert.equal(kinds['rank-fresh']?.stagesMs['embed']?.max, 4);
  assert.equal(kinds['rerank-fresh']?.stagesMs['rerank']?.mean, 30);
});

test('the timeline has every second of the window, those without an answer too', () => {
  let clock = 5000;
  const recorder = createRankRecorder(() => clock);
  recorder.answered(OK);
  clock += 2100;
  recorder.answered({ ...OK, latencyMs: 20 });
  recorder.answered({ ...OK, status: 429 });
  recorder.failed('timeout');
  clock += 1000;
  recorder.answered(OK); // after the window
  const { timeline, rank } = recorder.finish(3);

  assert.equal(rank.requests, 5);
  assert.deepEqual(
    timeline.map(({ second, answered, shed, failed }) => ({ second, answered, shed, failed })),
    [
      { second: 0, answered: 1, shed: 0, failed: 0 },
      { second: 1, answered: 0, shed: 0, failed: 0 },
      { second: 2, answered: 1, shed: 1, failed: 1 },
    ],
  );
  assert.equal(timeline[1]?.p50Ms, null);
  assert.equal(timeline[2]?.p50Ms, 20);
});
