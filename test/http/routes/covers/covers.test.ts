import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
const id = '日/本 ?#%';
const path = `/covers/${encodeURIComponent(id)}`;
let imageHash: string;
before(async () => {
  service = await openService();
  const [item] = await sampleItems(1);
  imageHash = createHash('sha256')
    .update(Buffer.from(item?.image_base64 ?? '', 'base64'))
    .digest('hex');
  const dimension = service.manifest.embedding_dim;
  const payload = {
    items: [
      { ...item, id, attributes: { tags: ['a', 'b'], n: 1.5, ok: true } },
      { id: 'vector', embedding: Array.from({ length: dimension }, (_, place) => place + 1) },
    ],
  };
  assert.equal((await service.call({ method: 'POST', url: '/index', payload })).body.errors, false);
});
after(() => service.close());

test('a cover is told in full', async () => {
  const { body } = await service.call({ url: path });
  assert.equal(typeof body.ocr_presence, 'number');
  assert.deepEqual(
    { ...body, ocr_presence: 0 },
    {
      id,
      sequence: 1,
      image_url: null,
      title: 'Cover 0',
      attributes: { tags: ['a', 'b'], n: 1.5, ok: true },
      image_hash: imageHash,
      ocr_presence: 0,
      rerankable: true,
      has_image: true,
    },
  );
});

test('a cover given as an embedding has no picture and is not reranked', async () => {
  const { body } = await service.call({ url: '/covers/vector' });
  assert.deepEqual([body.rerankable, body.has_image, body.image_hash], [false, false, null]);
  assert.equal((await service.call({ url: '/covers/vector/image' })).status, 404);
});

test('the thumbnail can be asked for again at the price of a header', async () => {
  const first = await service.app.inject({ url: `${path}/image` });
  assert.equal(first.statusCode, 200);
  assert.equal(first.headers['content-type'], 'image/webp');
  assert.equal(first.rawPayload.subarray(8, 12).toString(), 'WEBP');
  const again = await service.call({
    url: `${path}/image`,
    headers: { 'if-none-match': String(first.headers['etag']) },
  });
  assert.equal(again.status, 304);
  assert.equal(again.text, '');
  const other = await service.call({ url: `${path}/image`, headers: { 'if-none-match': '"other"' } });
  assert.equal(other.status, 200);
});

test('GET /index counts covers and writes', async () => {
  const { body } = await service.call({ url: '/index' });
  assert.equal(body.covers, 2);
  assert.equal(body.sequence, 2);
  assert.equal(body.durable_sequence, 2);
  assert.equal(body.graph.state, 'ready');
  assert.equal(body.bundle.name, 'demo');
});

test('a deleted cover is gone', async () => {
  await service.call({
    method: 'POST',
    url: '/index',
    payload: { items: [{ ...(await sampleItems(2))[1], id: 'x' }] },
  });
  const deleted = await service.call({ method: 'DELETE', url: '/covers/x' });
  assert.equal(deleted.body.result, 'deleted');
  for (const request of [
    { method: 'DELETE', url: '/covers/x' },
    { method: 'GET', url: '/covers/x' },
    { method: 'GET', url: '/covers/x/image' },
  ] as const) {
    assert.equal((await service.call(request)).status, 404);
  }
  const ranked = await service.call({ method: 'POST', url: '/rank', payload: { query: 'x', deadline_ms: 20_000 } });
  assert.ok(ranked.body.results.every((hit: { id: string }) => hit.id !== 'x'));
});
