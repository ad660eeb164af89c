import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, isFailure } from '../../../src/core/errors.ts';
import { until } from '../../http/service.ts';
import type { Fault } from '../inference-peer.ts';
import { failed, never, serveBundle } from '../served-bundle.ts';

const served = serveBundle();

const faults: readonly (readonly [string, Fault, ErrorCode])[] = [
  ['a full queue', { kind: 'status', status: 503, body: '{"error":"Exceeds maximum queue size"}' }, 'overloaded'],
  [
    'a time-out in its queue',
    { kind: 'status', status: 503, body: '{"error":"Request timeout expired"}' },
    'deadline_exceeded',
  ],
  ['a limit on the rate', { kind: 'status', status: 429, body: '' }, 'overloaded'],
  ['an error of its own', { kind: 'status', status: 500, body: '{"error":"out of memory at /models/x"}' }, 'internal'],
  ['a refusal', { kind: 'status', status: 400, body: '{"error":"unexpected shape"}' }, 'internal'],
  ['a model that is gone', { kind: 'status', status: 404, body: 'unknown model' }, 'unavailable'],
  ['a reset connection', { kind: 'reset' }, 'unavailable'],
  ['an answer that breaks off', { kind: 'truncate' }, 'unavailable'],
  ['more scores than pairs', { kind: 'rows', add: 1 }, 'internal'],
  ['fewer scores than pairs', { kind: 'rows', add: -1 }, 'internal'],
  ['a score that is no number', { kind: 'nan' }, 'internal'],
  ['a page of HTML', { kind: 'garbage' }, 'internal'],
];

for (const [what, fault, code] of faults) {
  test(`${what} is ${code}, and the next call works`, async (t) => {
    const peer = await served.startServer(t);
    const { encoder } = await served.open(t, peer.url);
    peer.fault = fault;
    await assert.rejects(encoder.score(encoder.prepare('猫'), served.images(3), never), (error) => {
      assert.ok(isFailure(error, code), String(error));
      assert.doesNotMatch(error.detail, /127\.0\.0\.1|\/models|memory/);
      return true;
    });
    peer.fault = undefined;
    await until(() => encoder.status().server === 'serving');
    const query = encoder.prepare('猫');
    await served.assertScores(await encoder.score(query, served.images(3), never), query.tokenIds, 3);
  });
}

test('a connection that breaks once is not noticed', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  peer.fault = { kind: 'reset', times: 1 };
  const query = encoder.prepare('猫');
  await served.assertScores(await encoder.score(query, served.images(3), never), query.tokenIds, 3);
  assert.equal(encoder.status().retries, 1);
});

test('retries stay within a tenth of the calls', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  const query = encoder.prepare('猫');
  for (let call = 0; call < 40; call++) {
    peer.fault = { kind: 'reset', times: 1 };
    await encoder.score(query, served.images(1), never).catch(() => {});
    peer.fault = undefined;
    await until(() => encoder.status().server === 'serving');
    await encoder.score(query, served.images(1), never).catch(() => {});
    await encoder.score(query, served.images(1), never).catch(() => {});
  }
  const { calls, retries } = encoder.status();
  assert.ok(retries >= 2 && retries <= 1 + calls / 10, `${retries} retries of ${calls} calls`);
});

test("a slow server costs the caller its deadline and no more; the caller's leaving is told apart", async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  peer.fault = { kind: 'latency', ms: 1000 };
  const query = encoder.prepare('猫');
  await assert.rejects(
    encoder.score(query, served.images(3), AbortSignal.timeout(80), { remainingMs: 80 }),
    failed('deadline_exceeded'),
  );
  const left = new AbortController();
  const scoring = encoder.score(query, served.images(3), left.signal);
  setImmediate(() => left.abort());
  await assert.rejects(scoring, failed('cancelled'));
});

test('a call has an end of its own, and a server that keeps missing it is left alone', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url, { timeoutMs: 60 });
  peer.fault = { kind: 'latency', ms: 1000 };
  const query = encoder.prepare('猫');
  for (let call = 0; call < 10 && encoder.status().breaker === 'closed'; call++) {
    await assert.rejects(encoder.score(query, served.images(1), never), failed('deadline_exceeded'));
  }
  assert.equal(encoder.status().breaker, 'open');
});

test('deadlines too short for any server are not held against it', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  peer.fault = { kind: 'latency', ms: 30 };
  const query = encoder.prepare('猫');
  for (let call = 0; call < 12; call++) {
    await assert.rejects(
      encoder.score(query, served.images(1), AbortSignal.timeout(2), { remainingMs: 2 }),
      failed('deadline_exceeded'),
    );
  }
  assert.equal(encoder.status().breaker, 'closed');
});

test('after repeated faults calls fail at once without reaching the server, until one gets through', async (t) => {
  const peer = await served.startServer(t);
  const { encoder, events } = await served.open(t, peer.url);
  const query = encoder.prepare('猫');
  peer.fault = { kind: 'nan' };
  for (let call = 0; call < 8; call++) await encoder.score(query, served.images(1), never).catch(() => {});
  assert.equal(encoder.status().breaker, 'open');
  const reached = peer.calls.length;
  await assert.rejects(encoder.score(query, served.images(1), never), failed('unavailable'));
  assert.equal(peer.calls.length, reached);

  peer.fault = undefined;
  await until(() =>
    encoder.score(query, served.images(1), never).then(
      () => true,
      () => false,
    ),
  );
  assert.equal(encoder.status().breaker, 'closed');
  assert.deepEqual(
    events.flatMap((event) => (event.event === 'rerank_breaker' ? [event.state] : [])),
    ['open', 'half_open', 'closed'],
  );
});

test('calls beyond the queue are refused, and those whose caller left are not made', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url, { maxInFlight: 1, maxQueued: 2 });
  const caller = (): AbortSignal => new AbortController().signal;
  const query = encoder.prepare('猫');
  peer.fault = { kind: 'latency', ms: 100 };
  const before = peer.calls.length;
  const first = encoder.score(query, served.images(1), caller());
  const leaving = new AbortController();
  const second = encoder.score(query, served.images(1), leaving.signal);
  const third = encoder.score(query, served.images(1), caller());
  await assert.rejects(encoder.score(query, served.images(1), caller()), failed('overloaded'));
  leaving.abort();
  await assert.rejects(second, failed('cancelled'));
  await Promise.all([first, third]);
  assert.equal(peer.calls.length, before + 2);
  assert.equal(peer.mostAtOnce, 1);
});
