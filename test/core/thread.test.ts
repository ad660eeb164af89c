import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { startThread } from '../../src/core/thread.ts';
import type { EchoMethods } from './echo-thread.ts';

const url = new URL('./echo-thread.js', import.meta.url);
const start = (data: unknown = {}) => startThread<EchoMethods>(url, data, { name: 'echo' });

test('a call is answered with what the method returned, whatever else is under way', async (t) => {
  const thread = await start();
  t.after(() => thread.close());
  const answers = await Promise.all([1, 'two', { three: 3 }].map((value) => thread.call('echo', value)));
  assert.deepEqual(answers, [1, 'two', { three: 3 }]);
});

test('buffers can move there and back', async (t) => {
  const thread = await start();
  t.after(() => thread.close());
  const numbers = Float32Array.of(1, 2, 3);
  assert.deepEqual(await thread.call('double', numbers, [numbers.buffer]), Float32Array.of(2, 4, 6));
  assert.equal(numbers.length, 0);
});

test('a failure keeps its code on the way', async (t) => {
  const thread = await start();
  t.after(() => thread.close());
  await assert.rejects(
    thread.call('refuse', 'no'),
    (error) => isFailure(error, 'undecodable_image') && error.detail === 'no',
  );
});

test('a thread that cannot start rejects with its reason', async () => {
  await assert.rejects(start({ broken: true }), (error) => isFailure(error, 'invalid_bundle'));
});

test('calls to a thread that dies are rejected, and its death is told once', async () => {
  const thread = await start();
  const pending = thread.call('exit', 3);
  await assert.rejects(pending, (error) => isFailure(error, 'unavailable'));
  assert.ok(isFailure(await thread.died, 'unavailable'));
  await assert.rejects(thread.call('echo', 1), (error) => isFailure(error, 'unavailable'));
});

test('a closed thread rejects what was pending and does not count as dead', async () => {
  const thread = await start();
  let dead = false;
  void thread.died.then(() => {
    dead = true;
  });
  await thread.close();
  await assert.rejects(thread.call('echo', 1), (error) => isFailure(error, 'unavailable'));
  assert.equal(dead, false);
});
