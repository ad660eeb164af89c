import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { readManifest } from '../../src/inference/bundle.ts';
import { exportModel } from '../convert/triton-model.ts';
import { openService, sampleItems, until } from '../http/service.ts';
import { startPeer } from './inference-peer.ts';

const demo = join(packageRoot, 'models/demo');

interface RankedHit {
  readonly id: string;
  readonly stage: string;
  readonly signals: Readonly<Record<string, number>>;
}

test('the service reranks on the server, ranks without it when it dies, and takes it up again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-remote-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { path } = await exportModel({ dir: demo, manifest: readManifest(demo) }, folder, { maxBatch: 64 });
  const peer = await startPeer(path);
  const local = await openService();
  t.after(() => local.close());
  const remote = await openService({ rerank_url: peer.url });
  t.after(() => remote.close());
  const items = await sampleItems(6);
  const rank = async (service: typeof local) => {
    const payload = { query: '一只猫', top_n: 6, recall_k: 6, rerank_k: 6, deadline_ms: 20_000 };
    return service.call({ method: 'POST', url: '/rank', payload });
  };
  for (const service of [local, remote]) {
    assert.equal((await service.call({ method: 'POST', url: '/index', payload: { items } })).status, 200);
  }
  assert.equal(remote.services.model.parts.rerank, undefined);

  const expected = (await rank(local)).body.results as RankedHit[];
  const answer = await rank(remote);
  assert.deepEqual(answer.body.degraded, []);
  for (const hit of answer.body.results as RankedHit[]) {
    const same = expected.find(({ id }) => id === hit.id);
    assert.equal(hit.stage, 'rerank');
    // int8 activations are scaled by the batch's largest value, so a batch of other padding differs in the last digits.
    assert.ok(Math.abs((hit.signals['ocr_semantic'] ?? 9) - (same?.signals['ocr_semantic'] ?? 0)) < 0.02);
  }

  await peer.close();
  const without = await rank(remote);
  assert.equal(without.status, 200);
  assert.deepEqual(without.body.degraded, [{ stage: 'rerank', reason: 'unavailable', reranked: 0, wanted: 6 }]);
  assert.equal(without.body.results.length, 6);
  const ready = await remote.call({ method: 'GET', url: '/readyz?verbose=1' });
  assert.equal(ready.status, 200);
  assert.deepEqual(
    ready.body.parts.find(({ name }: { name: string }) => name === 'cross-encoder'),
    { name: 'cross-encoder', ready: false, required: false, detail: 'absent' },
  );
  const metrics = (await remote.call({ method: 'GET', url: '/metrics' })).text;
  assert.match(metrics, /coverrank_degraded_total\{stage="rerank",reason="unavailable"\} 1/);
  assert.match(metrics, /coverrank_rerank_server_state\{state="absent"\} 1/);
  assert.match(metrics, /coverrank_rerank_breaker_state\{state="closed"\} 1/);
  assert.match(metrics, /coverrank_rerank_calls_total\{attempt="first"\} \d/);

  const again = await startPeer(path, peer.port);
  t.after(() => again.close());
  await until(async () => (await rank(remote)).body.degraded.length === 0);
});

test("a request's trace reaches the reranking server, and no host that pictures come from", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-remote-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { path } = await exportModel({ dir: demo, manifest: readManifest(demo) }, folder, { maxBatch: 64 });
  const peer = await startPeer(path);
  t.after(() => peer.close());
  const asked: IncomingHttpHeaders[] = [];
  const pictures = createServer(async (request, response) => {
    asked.push(request.headers);
    response.writeHead(200, { 'content-type': 'image/webp' });
    response.end(await readFile(join(packageRoot, 'index/samples/cover-0001.webp')));
  });
  await new Promise<void>((resolve) => pictures.listen(0, '127.0.0.1', resolve));
  t.after(() => pictures.close());
  const host = `127.0.0.1:${(pictures.address() as AddressInfo).port}`;
  const { fetch } = defaultConfig();
  const service = await openService({ rerank_url: peer.url, fetch: { ...fetch, allow: [host] } });
  t.after(() => service.close());

  const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'vendor=1' };
  const post = (url: string, payload: object, headers: Record<string, string>) =>
    service.call({ method: 'POST', url, payload, headers });
  const items = [{ id: 'a', image_url: `http://${host}/a.webp` }];
  assert.equal((await post('/index', { items }, trace)).status, 200);
  await post('/rank', { query: '猫', top_n: 1, recall_k: 1, rerank_k: 1, deadline_ms: 20_000 }, trace);
  assert.deepEqual(peer.calls.at(-1)?.trace, trace);
  await post('/score', { pairs: [{ query: '狗', image_url: `http://${host}/b.webp` }] }, trace);
  assert.deepEqual(peer.calls.at(-1)?.trace, trace);
  assert.equal(asked.length, 2);
  assert.ok(asked.every((headers) => headers['traceparent'] === undefined && headers['tracestate'] === undefined));

  const untold = { traceparent: undefined, tracestate: undefined };
  await post('/score', { pairs: [{ query: '鸟', id: 'a' }] }, { ...trace, traceparent: 'nonsense' });
  assert.deepEqual(peer.calls.at(-1)?.trace, untold);
});

test('a server with another model ends the start', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-remote-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { path } = await exportModel({ dir: demo, manifest: readManifest(demo) }, folder);
  const peer = await startPeer(path);
  t.after(() => peer.close());
  peer.hash = '0'.repeat(64);
  const start = openService({ rerank_url: peer.url });
  await assert.rejects(
    start,
    (error) => isFailure(error, 'invalid_config') && /made from demo 0{64}/.test(error.message),
  );
});
