import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pino from 'pino';
import { defaultConfig } from '../../../../src/config.ts';
import { createApp } from '../../../../src/http/app.ts';
import { createLifecycle } from '../../../../src/http/lifecycle.ts';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
before(async () => {
  service = await openService();
  await service.call({ method: 'POST', url: '/index', payload: { items: [...(await sampleItems(3)), { id: 'bad' }] } });
});
after(() => service.close());

test('while the service starts only probes are answered', async (t) => {
  const app = await createApp(createLifecycle(), defaultConfig(), pino({ level: 'silent' }));
  t.after(() => app.close());
  assert.equal((await app.inject('/livez')).statusCode, 200);
  for (const url of ['/readyz', '/startupz', '/index', '/covers/x']) {
    const response = await app.inject(url);
    assert.equal(response.statusCode, 503, url);
    assert.equal(response.json().code, 'unavailable');
    assert.equal(response.headers['retry-after'], '1');
  }
  assert.equal((await app.inject('/metrics')).statusCode, 200);
});

test('a ready service tells its parts to who asks', async () => {
  assert.deepEqual((await service.call({ url: '/readyz' })).body, { status: 'ready' });
  const { body } = await service.call({ url: '/readyz?verbose' });
  assert.deepEqual(
    body.parts.map((part: { name: string }) => part.name),
    ['text tower', 'image tower', 'cross-encoder', 'graph'],
  );
  assert.ok(body.parts.every((part: { ready: boolean }) => part.ready));
  assert.equal((await service.call({ url: '/startupz' })).status, 200);
  assert.equal((await service.call({ url: '/readyz?loud' })).status, 400);
});

test('metrics count what happened', async () => {
  await service.call({ method: 'POST', url: '/rank', payload: { query: '猫', deadline_ms: 20_000 } });
  await service.call({ url: '/covers/none' });
  const { text, headers } = await service.call({ url: '/metrics' });
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  const value = (line: string) =>
    Number(
      text
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.split(' ')[1],
    );
  assert.equal(value('coverrank_index_items_total{result="created"}'), 3);
  assert.equal(value('coverrank_index_items_total{result="invalid_request"}'), 1);
  assert.equal(value('coverrank_index_covers'), 3);
  assert.equal(value('coverrank_index_durable_sequence'), 3);
  assert.equal(value('coverrank_reranked_covers_total'), 3);
  assert.equal(value('coverrank_admission_requests{class="rank",state="running"}'), 0);
  const seconds = 'coverrank_http_request_duration_seconds_count';
  assert.equal(value(`${seconds}{method="POST",route="/rank",status="200"}`), 1);
  assert.equal(value(`${seconds}{method="GET",route="/covers/:id",status="404"}`), 1);
  for (const stage of ['queue', 'tokenize', 'embed', 'recall', 'rerank', 'fuse']) {
    assert.equal(value(`coverrank_rank_stage_duration_seconds_count{stage="${stage}"}`), 1, stage);
  }
  assert.ok(value('coverrank_event_loop_delay_seconds{quantile="0.99"}') >= 0);
  assert.match(
    text,
    /coverrank_build_info\{version="[\d.]+",node="v\d+[^"]*",bundle="demo",bundle_hash="[0-9a-f]{64}"\} 1/,
  );
});

test('the numbers for people are those of the metrics', async () => {
  await service.call({ method: 'POST', url: '/rank', payload: { query: '狗', deadline_ms: 20_000 } });
  const { status, body } = await service.call({ url: '/stats' });
  assert.equal(status, 200);
  assert.deepEqual(body.admission, { rank: { running: 0, waiting: 0 }, index: { running: 0, waiting: 0 } });
  assert.equal(body.rank.latency.count, 2);
  assert.equal(body.rank.latency.buckets.at(-1).count, 2);
  assert.ok(body.rank.latency.buckets.every((bucket: { le_s: number }) => bucket.le_s > 0));
  assert.equal(body.rank.stages.recall.count, 2);
  assert.ok(body.rank.stages.recall.sum_s > 0);
  assert.deepEqual([body.items.created, body.items.invalid_request], [3, 1]);
  assert.deepEqual([body.shed, body.rank.degraded], [{}, {}]);
});

test('POST /snapshot saves what is there', async () => {
  const { status, body } = await service.call({ method: 'POST', url: '/snapshot' });
  assert.equal(status, 200);
  assert.equal(body.covers, 3);
  assert.ok(body.bytes > 0);
  assert.equal((await service.call({ url: '/index' })).body.snapshot.sequence, body.sequence);
});

test('a service that shuts down refuses work and says so', async (t) => {
  const leaving = await openService();
  t.after(() => leaving.close());
  leaving.lifecycle.drain();
  for (const request of [
    { method: 'POST', url: '/rank', payload: { query: 'x' } },
    { method: 'POST', url: '/index', payload: { items: [] } },
    { method: 'GET', url: '/readyz' },
  ] as const) {
    const { status, body, headers } = await leaving.call(request);
    assert.equal(status, 503);
    assert.equal(body.code, 'draining');
    assert.equal(headers['retry-after'], '1');
  }
  assert.equal((await leaving.call({ url: '/livez' })).status, 200);
});
