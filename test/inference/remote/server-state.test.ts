import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { until } from '../../http/service.ts';
import { failed, never, SERVED_NAME, serveBundle } from '../served-bundle.ts';

const served = serveBundle();

test('a server that takes the connection and says nothing is asked again, and trusted when it speaks', async (t) => {
  const peer = await served.startServer(t);
  peer.isSilent = true;
  const { encoder } = await served.open(t, peer.url, { watchTimings: { checkMs: 400, retryMs: 10, recheckMs: 60 } });
  assert.equal(encoder.status().server, 'absent');
  peer.isSilent = false;
  await until(() => encoder.status().server === 'serving');
  assert.equal((await encoder.score(encoder.prepare('猫'), served.images(2), never)).length, 2);
});

test('a server that is not there at the start is found when it comes', async (t) => {
  const placeholder = await served.startServer();
  const { port, url } = placeholder;
  await placeholder.close();
  const { encoder, events } = await served.open(t, url);
  assert.equal(encoder.status().server, 'absent');
  await assert.rejects(encoder.score(encoder.prepare('猫'), served.images(1), never), failed('unavailable'));

  const peer = await served.startServer(t, port);
  peer.isReady = false;
  await assert.rejects(encoder.score(encoder.prepare('猫'), served.images(1), never), failed('unavailable'));
  peer.isReady = true;
  await until(() => encoder.status().server === 'serving');
  const query = encoder.prepare('猫');
  await served.assertScores(await encoder.score(query, served.images(2), never), query.tokenIds, 2);
  assert.deepEqual(
    events.map((event) => ('state' in event ? event.state : event.event)),
    ['absent', 'serving'],
  );
});

test('a server that dies and comes back with other weights is not trusted', async (t) => {
  const first = await served.startServer();
  const { encoder } = await served.open(t, `${first.url}/v2/models/${SERVED_NAME}/`);
  await first.close();
  const query = encoder.prepare('猫');
  await assert.rejects(encoder.score(query, served.images(1), never), failed('unavailable'));
  const second = await served.startServer(t, first.port);
  second.hash = 'f'.repeat(64);
  await until(() => encoder.status().server === 'wrong');
  await assert.rejects(encoder.score(query, served.images(1), never), failed('unavailable'));
  assert.equal(second.calls.length, 0);
  second.hash = served.hash;
  await until(() => encoder.status().server === 'serving');
  assert.equal((await encoder.score(query, served.images(1), never)).length, 1);
});

test('weights that change under a running server are noticed without a lost connection', async (t) => {
  const peer = await served.startServer(t);
  const { encoder } = await served.open(t, peer.url);
  peer.hash = 'f'.repeat(64);
  await until(() => encoder.status().server === 'wrong');
  await assert.rejects(encoder.score(encoder.prepare('猫'), served.images(1), never), failed('unavailable'));
});

test('a server that does not tell whose model it has is believed, and that is told', async (t) => {
  const peer = await served.startServer(t);
  peer.hash = null;
  const { encoder, events } = await served.open(t, peer.url);
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
    const peer = await served.startServer(t);
    peer.metadata = metadata;
    await assert.rejects(
      served.open(t, peer.url),
      (error) => isFailure(error, 'invalid_config') && words.test(error.message),
    );
  });
}

test('a start with a model of another bundle ends and names both', async (t) => {
  const peer = await served.startServer(t);
  peer.hash = 'f'.repeat(64);
  await assert.rejects(served.open(t, peer.url), (error) => {
    assert.ok(isFailure(error, 'invalid_config'));
    assert.match(error.message, new RegExp(`mini-fp32 f{64}, not from mini-fp32 ${served.hash}`));
    return true;
  });
});

test('an address that is none is refused before anything is asked', async (t) => {
  for (const url of ['gpu-host:8000', 'ftp://gpu/', 'http://user:secret@gpu:8000', 'http://gpu:8000/?x=1', '']) {
    await assert.rejects(served.open(t, url), failed('invalid_config'), url);
  }
});
