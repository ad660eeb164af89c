import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../http/service.ts';
import { failed, never, serveBundle } from './served-bundle.ts';

const served = serveBundle();

test('pairs score as in the bundle itself, spread over calls that are in flight together', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  const warmUpCalls = peer.calls.length;
  const query = encoder.prepare('红烧肉的做法 2');
  peer.fault = { kind: 'latency', ms: 30 };
  await served.assertScores(
    await encoder.score(query, served.images(40), never, { remainingMs: 1500 }),
    query.tokenIds,
    40,
  );
  // The exported model takes 16 pairs at once.
  const pairs = peer.calls.slice(warmUpCalls).map((call) => call.pairs);
  assert.deepEqual(
    pairs.sort((a, b) => a - b),
    [13, 13, 14],
  );
  assert.ok(peer.mostAtOnce > 1);
  assert.deepEqual(encoder.signals, ['ocr_semantic']);
  assert.equal(encoder.model.hash, served.hash);
});

test('queries that wait share a call, and each gets its own scores', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url, { maxInFlight: 1 });
  const first = peer.calls.length;
  peer.fault = { kind: 'latency', ms: 50 };
  const texts = ['红烧肉的做法', '猫', '一只猫'];
  const queries = texts.map((text) => encoder.prepare(text));
  const scored = queries.map((query, index) =>
    encoder.score(query, served.images(index === 0 ? 16 : 4), new AbortController().signal),
  );
  for (const [index, query] of queries.entries()) {
    await served.assertScores((await scored[index]) ?? [], query.tokenIds, index === 0 ? 16 : 4);
  }
  assert.deepEqual(
    peer.calls.slice(first).map(({ pairs }) => pairs),
    [16, 8],
  );
});

test('a score that is no number fails its own query and leaves the others of the call theirs', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url, { maxInFlight: 1 });
  peer.fault = { kind: 'latency', ms: 50, times: 1 };
  const query = encoder.prepare('猫');
  const busy = encoder.score(query, served.images(1), never);
  const [spoilt, whole] = [2, 3].map((pairs) =>
    encoder.score(query, served.images(pairs), new AbortController().signal),
  );
  await until(() => peer.fault?.times === 0);
  peer.fault = { kind: 'nan', pair: 1 };
  await busy;
  // The two waited together: pair 1 of their call is the first query's second picture.
  await assert.rejects(spoilt ?? Promise.resolve(), failed('internal'));
  await served.assertScores((await whole) ?? [], query.tokenIds, 3);
});

test('the trace of the request goes along with the call', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'a=1,b=2' };
  await encoder.score(encoder.prepare('猫'), served.images(2), never, { trace });
  assert.deepEqual(peer.calls.at(-1)?.trace, trace);
  await encoder.score(encoder.prepare('猫'), served.images(2), never);
  assert.deepEqual(peer.calls.at(-1)?.trace, { traceparent: undefined, tracestate: undefined });
});

test('what is left of the deadline is told to the server, in microseconds', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url, { timeoutMs: 900 });
  await encoder.score(encoder.prepare('猫'), served.images(2), never, { remainingMs: 300 });
  const withDeadline = peer.calls.at(-1)?.timeoutUs ?? 0;
  assert.ok(withDeadline > 0 && withDeadline <= 300_000, String(withDeadline));
  await encoder.score(encoder.prepare('猫'), served.images(2), never);
  assert.equal(peer.calls.at(-1)?.timeoutUs, 900_000);
});

test('answers in JSON, from a server without the binary extension for outputs, are read as well', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  peer.fault = { kind: 'json' };
  const query = encoder.prepare('一只猫');
  await served.assertScores(await encoder.score(query, served.images(5), never), query.tokenIds, 5);
});

const isLinux = process.platform === 'linux';

test('tokens go through shared memory where the server offers it', { skip: !isLinux }, async (t) => {
  const peer = await served.startServer(t);
  peer.sharedMemory = 'offered';
  const { encoder } = await served.open(t, peer.url);
  assert.equal(encoder.status().sharesMemory, true);
  const query = encoder.prepare('一只猫');
  for (let round = 0; round < 3; round++) {
    await encoder.score(encoder.prepare('狗'), served.images(30, 7), never);
    await served.assertScores(await encoder.score(query, served.images(30), never), query.tokenIds, 30);
  }
  assert.ok(peer.calls.every(({ bytes }) => bytes < 8000));

  // As after a restart of the server: the region is not known there any more.
  const [lost] = peer.regions;
  await lost?.[1].close();
  peer.regions.clear();
  await until(() => peer.regions.size === 1);
  await served.assertScores(await encoder.score(query, served.images(30), never), query.tokenIds, 30);
  await encoder.close();
  assert.equal(peer.regions.size, 0);
});

test('memory that the server cannot see means that tokens are sent', { skip: !isLinux }, async (t) => {
  const peer = await served.startServer(t);
  peer.sharedMemory = 'refused';
  const { encoder } = await served.open(t, peer.url);
  assert.equal(encoder.status().sharesMemory, false);
  const query = encoder.prepare('一只猫');
  await served.assertScores(await encoder.score(query, served.images(5), never), query.tokenIds, 5);
});

test('it knows what a call costs before the first query', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  assert.equal(encoder.fittingPairs(1000, 60_000), 64);
  assert.equal(encoder.fittingPairs(1000, 1e-6), 0);
});
