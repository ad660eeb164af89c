import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_SETTINGS } from '../../../console/src/ranking/rank-settings.ts';
import { createRankedQuery } from '../../../console/src/ranking/ranked-query.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

interface Call {
  readonly query: string;
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: Error): void;
}

/** A client whose answers come when the test says so. */
function openClient(): { client: ServiceClient; calls: Call[] } {
  const calls: Call[] = [];
  const call = (_method: string, _path: string, { body, signal }: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      const { query } = body as { query: string };
      assert.ok(signal);
      calls.push({ query, signal, answer: () => resolve({ query, results: [] }), fail: reject });
    });
  return { client: { call, bytes: () => Promise.reject(new Error('not used')) } as ServiceClient, calls };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test('only what is still there after a pause is asked for, and the last answer stays until the next', async () => {
  const { client, calls } = openClient();
  const ranked = createRankedQuery(client, FIRST_SETTINGS, 1);
  for (const text of ['熊', '熊猫', '熊猫 ']) ranked.type(text);
  await settle();
  assert.deepEqual(
    calls.map(({ query }) => query),
    ['熊猫'],
  );
  calls[0]?.answer();
  await settle();
  assert.equal(ranked.answered.value?.request.query, '熊猫');
  ranked.type('猫');
  await settle();
  assert.equal(ranked.answered.value?.request.query, '熊猫');
  assert.equal(ranked.busy.value, true);
  calls[1]?.answer();
  await settle();
  assert.equal(ranked.answered.value?.request.query, '猫');
  assert.equal(ranked.busy.value, false);
});

test('an answer that is overtaken is given up, even if it comes after all', async () => {
  const { client, calls } = openClient();
  const ranked = createRankedQuery(client, FIRST_SETTINGS, 1);
  ranked.type('slow');
  await settle();
  ranked.type('fast');
  await settle();
  assert.equal(calls[0]?.signal.aborted, true);
  calls[1]?.answer();
  await settle();
  calls[0]?.answer();
  await settle();
  assert.equal(ranked.answered.value?.request.query, 'fast');
});

test('a refusal is shown beside the last answer and goes with the next one', async () => {
  const { client, calls } = openClient();
  const ranked = createRankedQuery(client, FIRST_SETTINGS, 1);
  ranked.type('a');
  await settle();
  calls[0]?.answer();
  ranked.type('b');
  await settle();
  calls[1]?.fail(new ServiceError({ code: 'overloaded', detail: '' }, { hadKey: false, retryAfterSeconds: 2 }));
  await settle();
  assert.equal(ranked.error.value?.problem.code, 'overloaded');
  assert.equal(ranked.answered.value?.request.query, 'a');
  void ranked.ask();
  calls[2]?.answer();
  await settle();
  assert.equal(ranked.error.value, undefined);
  ranked.type('');
  await settle();
  assert.equal(ranked.answered.value, undefined);
  assert.equal(calls.length, 3, 'nothing is asked for no query');
});

test('a failure that is not the service’s ends the waiting too, and is shown', async () => {
  const { client, calls } = openClient();
  const ranked = createRankedQuery(client, FIRST_SETTINGS, 1);
  ranked.type('a');
  await settle();
  calls[0]?.fail(new TypeError('Unexpected answer'));
  await settle();
  assert.equal(ranked.busy.value, false);
  assert.deepEqual(ranked.error.value?.problem, { code: 'other', detail: 'Unexpected answer' });
});
