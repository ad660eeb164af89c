import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { type ErrorCode, isFailure } from '../../src/core/errors.ts';
import type { ImageTokens, Signals } from '../../src/core/types.ts';
import { openBundle } from '../../src/inference/bundle.ts';
import { openTokenizer } from '../../src/inference/model.ts';
import {
  openRemoteCrossEncoder,
  type RemoteCrossEncoder,
  type RemoteCrossEncoderOptions,
  type RemoteEvent,
} from '../../src/inference/remote-cross-encoder.ts';
import { openGraph } from '../convert/golden-model.ts';
import { exportModel, goldenBundle, madeTokens, rerankInputs, type SmallBundle } from '../convert/triton-model.ts';
import { until } from '../http/service.ts';
import { type Fault, type InferencePeer, startPeer } from './inference-peer.ts';

const never = new AbortController().signal;
const NAME = 'mini-fp32';
let folder: string;
let bundle: SmallBundle;
let model: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coverrank-remote-'));
  bundle = await goldenBundle(folder);
  model = (await exportModel(bundle, join(folder, 'repository'))).path;
});
after(() => rm(folder, { recursive: true, force: true }));

async function start(t: TestContext, port = 0): Promise<InferencePeer> {
  const peer = await startPeer(model, port);
  t.after(() => peer.close());
  return peer;
}

interface Opened {
  readonly encoder: RemoteCrossEncoder;
  readonly events: RemoteEvent[];
}

async function open(t: TestContext, url: string, changes: Partial<RemoteCrossEncoderOptions> = {}): Promise<Opened> {
  const opened = await openBundle(bundle.dir);
  const events: RemoteEvent[] = [];
  const encoder = await openRemoteCrossEncoder({
    url,
    model: opened.ref,
    manifest: opened.manifest,
    tokenizer: openTokenizer(opened),
    timeoutMs: 2000,
    maxBatchPairs: 64,
    maxInFlight: 4,
    maxQueued: 32,
    sharesMemory: true,
    onEvent: (event) => events.push(event),
    watchTimings: { retryMs: 20, recheckMs: 60 },
    ...changes,
  });
  t.after(() => encoder.close());
  return { encoder, events };
}

function images(count: number, from = 0): ImageTokens[] {
  return Array.from({ length: count }, (_, image) => madeTokens(bundle, from + image));
}

/** What the bundle's own graph says of the query with made images 0, 1, 2, … */
async function expectedScores(tokenIds: readonly number[], count: number): Promise<number[]> {
  const graph = await openGraph(join(bundle.dir, 'rerank.onnx'));
  const inputs = rerankInputs(bundle, [[...tokenIds]], new Array<number>(count).fill(0));
  const scores = (await graph.run(inputs))['ocr_semantic']?.data ?? [];
  await graph.close();
  return Array.from(scores, Number);
}

function assertClose(got: readonly Signals[], expected: readonly number[]): void {
  assert.equal(got.length, expected.length);
  for (const [pair, score] of expected.entries()) {
    const difference = Math.abs((got[pair]?.['ocr_semantic'] ?? Number.NaN) - score);
    assert.ok(difference < 1e-5, `pair ${pair} differs by ${difference}`);
  }
}

const failed = (code: ErrorCode) => (error: unknown) => isFailure(error, code);

test('pairs score as in the bundle itself, spread over calls that are in flight together', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  const warmUpCalls = peer.calls.length;
  const query = encoder.prepare('红烧肉的做法 2');
  peer.fault = { kind: 'latency', ms: 30 };
  assertClose(
    await encoder.score(query, images(40), never, { remainingMs: 1500 }),
    await expectedScores(query.tokenIds, 40),
  );
  // The exported model takes 16 pairs at once.
  const pairs = peer.calls.slice(warmUpCalls).map((call) => call.pairs);
  assert.deepEqual(
    pairs.sort((a, b) => a - b),
    [13, 13, 14],
  );
  assert.ok(peer.mostAtOnce > 1);
  assert.deepEqual(encoder.signals, ['ocr_semantic']);
  assert.equal(encoder.model.hash, bundle.manifest.hash);
});

test('queries that wait share a call, and each gets its own scores', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url, { maxInFlight: 1 });
  const first = peer.calls.length;
  peer.fault = { kind: 'latency', ms: 50 };
  const texts = ['红烧肉的做法', '猫', '一只猫'];
  const queries = texts.map((text) => encoder.prepare(text));
  const scored = queries.map((query, index) =>
    encoder.score(query, images(index === 0 ? 16 : 4), new AbortController().signal),
  );
  for (const [index, query] of queries.entries()) {
    assertClose((await scored[index]) ?? [], await expectedScores(query.tokenIds, index === 0 ? 16 : 4));
  }
  assert.deepEqual(
    peer.calls.slice(first).map(({ pairs }) => pairs),
    [16, 8],
  );
});

test('a score that is no number fails its own query and leaves the others of the call theirs', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url, { maxInFlight: 1 });
  peer.fault = { kind: 'latency', ms: 50, times: 1 };
  const query = encoder.prepare('猫');
  const busy = encoder.score(query, images(1), never);
  const [spoilt, whole] = [2, 3].map((pairs) => encoder.score(query, images(pairs), new AbortController().signal));
  await until(() => peer.fault?.times === 0);
  peer.fault = { kind: 'nan', pair: 1 };
  await busy;
  // The two waited together: pair 1 of their call is the first query's second picture.
  await assert.rejects(spoilt ?? Promise.resolve(), failed('internal'));
  assertClose((await whole) ?? [], await expectedScores(query.tokenIds, 3));
});

test('the trace of the request goes along with the call', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'a=1,b=2' };
  await encoder.score(encoder.prepare('猫'), images(2), never, { trace });
  assert.deepEqual(peer.calls.at(-1)?.trace, trace);
  await encoder.score(encoder.prepare('猫'), images(2), never);
  assert.deepEqual(peer.calls.at(-1)?.trace, { traceparent: undefined, tracestate: undefined });
});

test('a server that takes the connection and says nothing is asked again, and trusted when it speaks', async (t) => {
  const peer = await start(t);
  peer.isSilent = true;
  const { encoder } = await open(t, peer.url, { watchTimings: { checkMs: 400, retryMs: 10, recheckMs: 60 } });
  assert.equal(encoder.status().server, 'absent');
  peer.isSilent = false;
  await until(() => encoder.status().server === 'serving');
  assert.equal((await encoder.score(encoder.prepare('猫'), images(2), never)).length, 2);
});

test('what is left of the deadline is told to the server, in microseconds', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url, { timeoutMs: 900 });
  await encoder.score(encoder.prepare('猫'), images(2), never, { remainingMs: 300 });
  const withDeadline = peer.calls.at(-1)?.timeoutUs ?? 0;
  assert.ok(withDeadline > 0 && withDeadline <= 300_000, String(withDeadline));
  await encoder.score(encoder.prepare('猫'), images(2), never);
  assert.equal(peer.calls.at(-1)?.timeoutUs, 900_000);
});

test('answers in JSON, from a server without the binary extension for outputs, are read as well', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  peer.fault = { kind: 'json' };
  const query = encoder.prepare('一只猫');
  assertClose(await encoder.score(query, images(5), never), await expectedScores(query.tokenIds, 5));
});

const isLinux = process.platform === 'linux';

test('tokens go through shared memory where the server offers it', { skip: !isLinux }, async (t) => {
  const peer = await start(t);
  peer.sharedMemory = 'offered';
  const { encoder } = await open(t, peer.url);
  assert.equal(encoder.status().sharesMemory, true);
  const query = encoder.prepare('一只猫');
  const expected = await expectedScores(query.tokenIds, 30);
  for (let round = 0; round < 3; round++) {
    await encoder.score(encoder.prepare('狗'), images(30, 7), never);
    assertClose(await encoder.score(query, images(30), never), expected);
  }
  assert.ok(peer.calls.every(({ bytes }) => bytes < 8000));

  // As after a restart of the server: the region is not known there any more.
  const [lost] = peer.regions;
  await lost?.[1].close();
  peer.regions.clear();
  await until(() => peer.regions.size === 1);
  assertClose(await encoder.score(query, images(30), never), expected);
  await encoder.close();
  assert.equal(peer.regions.size, 0);
});

test('memory that the server cannot see means that tokens are sent', { skip: !isLinux }, async (t) => {
  const peer = await start(t);
  peer.sharedMemory = 'refused';
  const { encoder } = await open(t, peer.url);
  assert.equal(encoder.status().sharesMemory, false);
  const query = encoder.prepare('一只猫');
  assertClose(await encoder.score(query, images(5), never), await expectedScores(query.tokenIds, 5));
});

test('it knows what a call costs before the first query', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  assert.equal(encoder.fittingPairs(1000, 60_000), 64);
  assert.equal(encoder.fittingPairs(1000, 1e-6), 0);
});

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
    const peer = await start(t);
    const { encoder } = await open(t, peer.url);
    peer.fault = fault;
    await assert.rejects(encoder.score(encoder.prepare('猫'), images(3), never), (error) => {
      assert.ok(isFailure(error, code), String(error));
      assert.doesNotMatch(error.detail, /127\.0\.0\.1|\/models|memory/);
      return true;
    });
    peer.fault = undefined;
    await until(() => encoder.status().server === 'serving');
    const query = encoder.prepare('猫');
    assertClose(await encoder.score(query, images(3), never), await expectedScores(query.tokenIds, 3));
  });
}

test('a connection that breaks once is not noticed', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  peer.fault = { kind: 'reset', times: 1 };
  const query = encoder.prepare('猫');
  assertClose(await encoder.score(query, images(3), never), await expectedScores(query.tokenIds, 3));
  assert.equal(encoder.status().retries, 1);
});

test('retries stay within a tenth of the calls', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  const query = encoder.prepare('猫');
  for (let call = 0; call < 40; call++) {
    peer.fault = { kind: 'reset', times: 1 };
    await encoder.score(query, images(1), never).catch(() => {});
    peer.fault = undefined;
    await until(() => encoder.status().server === 'serving');
    await encoder.score(query, images(1), never).catch(() => {});
    await encoder.score(query, images(1), never).catch(() => {});
  }
  const { calls, retries } = encoder.status();
  assert.ok(retries >= 2 && retries <= 1 + calls / 10, `${retries} retries of ${calls} calls`);
});

test("a slow server costs the caller its deadline and no more; the caller's leaving is told apart", async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  peer.fault = { kind: 'latency', ms: 1000 };
  const query = encoder.prepare('猫');
  await assert.rejects(
    encoder.score(query, images(3), AbortSignal.timeout(80), { remainingMs: 80 }),
    failed('deadline_exceeded'),
  );
  const left = new AbortController();
  const scoring = encoder.score(query, images(3), left.signal);
  setImmediate(() => left.abort());
  await assert.rejects(scoring, failed('cancelled'));
});

test('a call has an end of its own, and a server that keeps missing it is left alone', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url, { timeoutMs: 60 });
  peer.fault = { kind: 'latency', ms: 1000 };
  const query = encoder.prepare('猫');
  for (let call = 0; call < 10 && encoder.status().breaker === 'closed'; call++) {
    await assert.rejects(encoder.score(query, images(1), never), failed('deadline_exceeded'));
  }
  assert.equal(encoder.status().breaker, 'open');
});

test('deadlines too short for any server are not held against it', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  peer.fault = { kind: 'latency', ms: 30 };
  const query = encoder.prepare('猫');
  for (let call = 0; call < 12; call++) {
    await assert.rejects(
      encoder.score(query, images(1), AbortSignal.timeout(2), { remainingMs: 2 }),
      failed('deadline_exceeded'),
    );
  }
  assert.equal(encoder.status().breaker, 'closed');
});

test('after repeated faults calls fail at once without reaching the server, until one gets through', async (t) => {
  const peer = await start(t);
  const { encoder, events } = await open(t, peer.url);
  const query = encoder.prepare('猫');
  peer.fault = { kind: 'nan' };
  for (let call = 0; call < 8; call++) await encoder.score(query, images(1), never).catch(() => {});
  assert.equal(encoder.status().breaker, 'open');
  const reached = peer.calls.length;
  await assert.rejects(encoder.score(query, images(1), never), failed('unavailable'));
  assert.equal(peer.calls.length, reached);

  peer.fault = undefined;
  await until(() =>
    encoder.score(query, images(1), never).then(
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
  const peer = await start(t);
  const { encoder } = await open(t, peer.url, { maxInFlight: 1, maxQueued: 2 });
  const caller = (): AbortSignal => new AbortController().signal;
  const query = encoder.prepare('猫');
  peer.fault = { kind: 'latency', ms: 100 };
  const before = peer.calls.length;
  const first = encoder.score(query, images(1), caller());
  const leaving = new AbortController();
  const second = encoder.score(query, images(1), leaving.signal);
  const third = encoder.score(query, images(1), caller());
  await assert.rejects(encoder.score(query, images(1), caller()), failed('overloaded'));
  leaving.abort();
  await assert.rejects(second, failed('cancelled'));
  await Promise.all([first, third]);
  assert.equal(peer.calls.length, before + 2);
  assert.equal(peer.mostAtOnce, 1);
});

test('a server that is not there at the start is found when it comes', async (t) => {
  const placeholder = await startPeer(model);
  const { port, url } = placeholder;
  await placeholder.close();
  const { encoder, events } = await open(t, url);
  assert.equal(encoder.status().server, 'absent');
  await assert.rejects(encoder.score(encoder.prepare('猫'), images(1), never), failed('unavailable'));

  const peer = await start(t, port);
  peer.isReady = false;
  await assert.rejects(encoder.score(encoder.prepare('猫'), images(1), never), failed('unavailable'));
  peer.isReady = true;
  await until(() => encoder.status().server === 'serving');
  const query = encoder.prepare('猫');
  assertClose(await encoder.score(query, images(2), never), await expectedScores(query.tokenIds, 2));
  assert.deepEqual(
    events.map((event) => ('state' in event ? event.state : event.event)),
    ['absent', 'serving'],
  );
});

test('a server that dies and comes back with other weights is not trusted', async (t) => {
  const first = await startPeer(model);
  const { encoder } = await open(t, `${first.url}/v2/models/${NAME}/`);
  await first.close();
  const query = encoder.prepare('猫');
  await assert.rejects(encoder.score(query, images(1), never), failed('unavailable'));
  const second = await start(t, first.port);
  second.hash = 'f'.repeat(64);
  await until(() => encoder.status().server === 'wrong');
  await assert.rejects(encoder.score(query, images(1), never), failed('unavailable'));
  assert.equal(second.calls.length, 0);
  second.hash = bundle.manifest.hash;
  await until(() => encoder.status().server === 'serving');
  assert.equal((await encoder.score(query, images(1), never)).length, 1);
});

test('weights that change under a running server are noticed without a lost connection', async (t) => {
  const peer = await start(t);
  const { encoder } = await open(t, peer.url);
  peer.hash = 'f'.repeat(64);
  await until(() => encoder.status().server === 'wrong');
  await assert.rejects(encoder.score(encoder.prepare('猫'), images(1), never), failed('unavailable'));
});

test('a server that does not tell whose model it has is believed, and that is told', async (t) => {
  const peer = await start(t);
  peer.hash = null;
  const { encoder, events } = await open(t, peer.url);
  assert.equal(encoder.status().server, 'serving');
  assert.ok(events.some(({ event }) => event === 'rerank_hash_unknown'));
});

const port = (name: string, datatype: string, shape: readonly number[]) => ({ name, datatype, shape });
const misfits: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ['lacks an input', { inputs: [] }, /no input input_ids/],
  ['has other types', { inputs: [port('input_ids', 'INT32', [-1, 20])] }, /input_ids is INT32, not INT64/],
  ['has other shapes', { inputs: [port('input_ids', 'INT64', [-1, 77])] }, /shape \[-1, 77\], not \[-1, 20\]/],
  ['has a fixed batch', { inputs: [port('input_ids', 'INT64', [8, 20])] }, /shape \[8, 20\]/],
  ['gives no signal', { outputs: [port('logits', 'FP32', [-1, 2])] }, /no output ocr_semantic/],
  ['has no metadata', { inputs: 'none' }, /no metadata/],
];

for (const [what, metadata, words] of misfits) {
  test(`a start with a model that ${what} ends and says so`, async (t) => {
    const peer = await start(t);
    peer.metadata = metadata;
    await assert.rejects(open(t, peer.url), (error) => isFailure(error, 'invalid_config') && words.test(error.message));
  });
}

test('a start with a model of another bundle ends and names both', async (t) => {
  const peer = await start(t);
  peer.hash = 'f'.repeat(64);
  await assert.rejects(open(t, peer.url), (error) => {
    assert.ok(isFailure(error, 'invalid_config'));
    assert.match(error.message, new RegExp(`mini-fp32 f{64}, not from mini-fp32 ${bundle.manifest.hash}`));
    return true;
  });
});

test('an address that is none is refused before anything is asked', async (t) => {
  for (const url of ['gpu-host:8000', 'ftp://gpu/', 'http://user:secret@gpu:8000', 'http://gpu:8000/?x=1', '']) {
    await assert.rejects(open(t, url), failed('invalid_config'), url);
  }
});
