import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
let items: Awaited<ReturnType<typeof sampleItems>>;
before(async () => {
  service = await openService();
  items = await sampleItems(2);
  await service.call({ method: 'POST', url: '/index', payload: { items } });
});
after(() => service.close());

const score = (pairs: unknown) => service.call({ method: 'POST', url: '/score', payload: { pairs } as object });

test('a picture scores as the cover made of it does, up to the quantisation of its tokens', async () => {
  const { status, body } = await score([
    { query: ' 猫 ', id: items[0]?.id },
    { query: '猫', image_base64: items[0]?.image_base64 },
    { query: '猫', id: items[1]?.id },
  ]);
  assert.equal(status, 200);
  const [cover, picture, other] = body.pairs;
  assert.ok(Math.abs(cover.signals.cosine - picture.signals.cosine) < 1e-3);
  assert.ok(Math.abs(cover.signals.ocr_presence - picture.signals.ocr_presence) < 1e-3);
  assert.notEqual(cover.signals.cosine, other.signals.cosine);
  assert.deepEqual(Object.keys(cover.signals), service.manifest.signals);
});

test('a pair scores as /rank scores it', async () => {
  const ranked = await service.call({
    method: 'POST',
    url: '/rank',
    payload: { query: '猫', candidates: [items[1]?.id], deadline_ms: 20_000 },
  });
  const { body } = await score([{ query: '猫', id: items[1]?.id }]);
  const [hit] = ranked.body.results;
  assert.ok(Math.abs(hit.relevance_score - body.pairs[0].relevance_score) < 1e-4);
});

test('a pair that cannot be scored says why, and the others are scored', async () => {
  const { status, body } = await score([
    { query: '猫', id: 'none' },
    { query: '猫', image_base64: Buffer.from('no picture').toString('base64') },
    { query: '猫', image_url: 'http://127.0.0.1/x.jpg' },
    { query: '猫', image_base64: 'not base64!' },
    { query: '猫', id: items[0]?.id },
  ]);
  assert.equal(status, 200);
  assert.deepEqual(
    body.pairs.map((pair: { error?: { code: string } }) => pair.error?.code),
    ['not_found', 'unsupported_image', 'fetch_forbidden', 'invalid_request', undefined],
  );
});

test('a query may have as much white space around it as in /rank', async () => {
  const query = `${' '.repeat(5_000)}猫${' '.repeat(5_000)}`;
  const { status, body } = await score([
    { query, id: items[0]?.id },
    { query: '猫', id: items[0]?.id },
  ]);
  assert.equal(status, 200);
  assert.ok(Math.abs(body.pairs[0].relevance_score - body.pairs[1].relevance_score) < 1e-4);
  assert.equal((await score([{ query: `猫${' '.repeat(5_000)}狗`, id: items[0]?.id }])).status, 400);
});

test('what is wrong with the request is told by path', async () => {
  for (const [pairs, path] of [
    [[], '/pairs'],
    [[{ query: 'x' }], '/pairs/0'],
    [[{ query: 'x', id: 'a', image_url: 'http://x/' }], '/pairs/0'],
    [
      [
        { query: 'x', id: 'a' },
        { query: 'y'.repeat(1001), id: 'a' },
      ],
      '/pairs/1/query',
    ],
    [[{ query: 'x', id: '字'.repeat(100) }], '/pairs/0/id'],
    [[{ query: 'x', image_base64: ['/9j/'] }], '/pairs/0/image_base64'],
  ] as const) {
    const { status, body } = await score(pairs);
    assert.equal(status, 400);
    assert.equal(body.errors[0].path, path);
  }
});
