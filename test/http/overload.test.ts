import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import { createBrownOut } from '../../src/http/brown-out.ts';
import { openService, sampleItems, type TestService, until } from './service.ts';

/** Moved by hand, so that it is a test's choice when an interval is over. */
const clock = { now: 0 };
const brownOut = createBrownOut(() => clock.now);
let service: TestService;
let port: number;
before(async () => {
  const limits = {
    ...defaultConfig().limits,
    rank_concurrency: 1,
    rank_queue: 2,
    index_concurrency: 1,
    index_queue: 0,
  };
  service = await openService({ limits }, brownOut);
  await service.call({ method: 'POST', url: '/index', payload: { items: await sampleItems(8) } });
  await service.app.listen({ port: 0 });
  port = (service.app.server.address() as AddressInfo).port;
});
after(() => service.close());

const rank = (query: string, deadline_ms = 20_000) =>
  service.call({ method: 'POST', url: '/rank', payload: { query, deadline_ms, include: ['timings'] } });

test('beyond the queue requests are refused with a time to come back; the rest are ranked', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, (_, number) => rank(`猫 ${number}`)));
  const ranked = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 429);
  assert.equal(ranked.length, 3);
  assert.equal(refused.length, 9);
  for (const { body, headers } of refused) {
    assert.equal(body.code, 'overloaded');
    assert.equal(body.retryable, true);
    assert.match(String(headers['retry-after']), /^[1-9]\d*$/);
  }
  const queued = ranked.map(({ body }) => body.timings_ms.queue);
  assert.ok(Math.max(...queued) > Math.min(...queued), 'waiting for a place is told as queue time');

  const metrics = await service.call({ url: '/metrics' });
  assert.match(metrics.text, /coverrank_shed_total\{class="rank",reason="overloaded"\} 9/);
  assert.equal((await rank('猫')).status, 200);
});

test('a request that would wait for most of its time is refused at once, or told that its time is over', async () => {
  const answers = await Promise.all([rank('久'), rank('急', 1), rank('急', 1)]);
  assert.equal(answers[0]?.status, 200);
  for (const { status, body, headers } of answers.slice(1)) {
    assert.ok(status === 429 || status === 504, `${status}`);
    assert.equal(body.code, status === 429 ? 'overloaded' : 'deadline_exceeded');
    assert.equal(headers['retry-after'] !== undefined, status === 429);
  }
});

test('where a queue stands fewer covers are reranked, and the answer and a metric say so', async () => {
  // An interval in which all that came waited for most of their time.
  clock.now += 1_000;
  brownOut.admit(0.9);
  clock.now += 150;
  const { degraded } = (await rank('熊')).body;
  assert.deepEqual(degraded, [{ stage: 'rerank', reason: 'overloaded', reranked: 6, wanted: 8 }]);
  const { text } = await service.call({ url: '/metrics' });
  assert.match(text, /coverrank_degraded_total\{stage="rerank",reason="overloaded"\} 1/);
  assert.match(text, /^coverrank_rerank_share 0\.7$/m);

  clock.now += 1_000;
  assert.match((await service.call({ url: '/metrics' })).text, /^coverrank_rerank_share 1$/m);
  assert.deepEqual((await rank('熊')).body.degraded, []);
});

test('an indexing stream holds its place until it ends, and every other write is refused before it is read', async () => {
  const stream = httpRequest({
    port,
    path: '/index',
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  stream.on('error', () => {});
  const answered = new Promise<void>((resolve) => stream.once('response', () => resolve()));
  stream.write('{"id":"nobody","delete":true}\n');
  await answered;

  for (const write of [
    { method: 'POST', url: '/index', payload: { items: [] } },
    { method: 'DELETE', url: '/covers/nobody' },
    { method: 'POST', url: '/snapshot' },
    { method: 'PUT', url: '/judgements', payload: { judgements: [{ query: '猫', id: 'a', grade: 1 }] } },
    { method: 'DELETE', url: '/judgements?query=x&id=a' },
    { method: 'POST', url: '/judgements/import', payload: { text: '猫\ta\t1' } },
  ] as const) {
    const second = await service.call(write);
    assert.equal(second.status, 429, write.url);
    assert.ok(second.headers['retry-after']);
  }

  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  stream.destroy();
  await closed;
  await until(
    async () => (await service.call({ method: 'POST', url: '/index', payload: { items: [] } })).status === 200,
  );
});

test('a client that leaves frees its place for the next', async () => {
  const body = JSON.stringify({ query: '走', deadline_ms: 20_000 });
  const leaving = Array.from({ length: 3 }, () => {
    const request = httpRequest({
      port,
      path: '/rank',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    request.on('error', () => {});
    request.end(body);
    return request;
  });
  await new Promise((resolve) => setImmediate(resolve));
  for (const request of leaving) request.destroy();
  await until(async () => (await rank('留')).status === 200);
  const idle = /coverrank_admission_requests\{class="rank",state="running"\} 0/;
  await until(async () => idle.test((await service.call({ url: '/metrics' })).text));
});
