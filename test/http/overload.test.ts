import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import { openService, sampleItems, type TestService, until } from './service.ts';

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
  service = await openService({ limits });
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

test('a request that waits longer than its deadline is answered in time', async () => {
  const answers = await Promise.all([rank('久'), rank('急', 1), rank('急', 1)]);
  assert.equal(answers[0]?.status, 200);
  for (const { status, body } of answers.slice(1)) {
    assert.equal(status, 504);
    assert.equal(body.code, 'deadline_exceeded');
  }
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
