import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
before(async () => {
  service = await openService();
});
after(() => service.close());

const embed = (payload: object) => service.call({ method: 'POST', url: '/embed', payload });
const dot = (a: number[], b: number[]) => a.reduce((sum, value, place) => sum + value * (b[place] ?? 0), 0);

test('texts become unit vectors, in order, alone as among others', async () => {
  const { status, body } = await embed({ texts: ['猫', '红烧肉的家常做法', ' 猫 '] });
  assert.equal(status, 200);
  assert.equal(body.model.name, 'demo');
  assert.equal(body.embeddings.length, 3);
  for (const vector of body.embeddings) {
    assert.equal(vector.length, service.manifest.embedding_dim);
    assert.ok(Math.abs(dot(vector, vector) - 1) < 1e-4);
  }
  assert.ok(dot(body.embeddings[0], body.embeddings[2]) > 0.9999);
  const alone = await embed({ texts: ['红烧肉的家常做法'] });
  assert.ok(dot(alone.body.embeddings[0], body.embeddings[1]) > 0.99);
});

test('text and picture lie in one space: their product is the cosine of /score', async () => {
  const [item] = await sampleItems(1);
  const [texts, images] = [await embed({ texts: ['猫'] }), await embed({ images_base64: [item?.image_base64] })];
  const { body } = await service.call({
    method: 'POST',
    url: '/score',
    payload: { pairs: [{ query: '猫', image_base64: item?.image_base64 }] },
  });
  const cosine = dot(texts.body.embeddings[0], images.body.embeddings[0]);
  assert.ok(Math.abs(cosine - body.pairs[0].signals.cosine) < 1e-4);
});

test('a body of many megabytes is answered like a small one, and refused like one', async () => {
  const [item] = await sampleItems(1);
  const picture = String(item?.image_base64);
  const alone = await embed({ images_base64: [picture] });
  const noise = Buffer.alloc(7_000_000, 7).toString('base64');
  const named = await embed({ images_base64: [picture, noise, noise] });
  assert.deepEqual([named.status, named.body.code], [422, 'unsupported_image']);
  assert.equal(named.body.errors[0].path, '/images_base64/1');
  const many = await embed({ images_base64: new Array(24).fill(picture) });
  assert.equal(many.body.embeddings.length, 24);
  assert.ok(dot(many.body.embeddings[23], alone.body.embeddings[0]) > 0.99);
  for (const payload of [{ texts: new Array(300_000).fill([]) }, { texts: ['猫'], more: 'x'.repeat(500_000) }, {}]) {
    const { status, body } = await embed(payload);
    assert.deepEqual([status, body.code], [400, 'invalid_request']);
  }
  const broken = await service.call({
    method: 'POST',
    url: '/embed',
    headers: { 'content-type': 'application/json' },
    payload: `{"texts":["${'x'.repeat(500_000)}"`,
  });
  assert.deepEqual([broken.status, broken.body.code], [400, 'invalid_request']);
});

test('a picture that cannot be used is named', async () => {
  const [item] = await sampleItems(1);
  const broken = Buffer.from(item?.image_base64 ?? '', 'base64')
    .subarray(0, 500)
    .toString('base64');
  const { status, body } = await embed({ images_base64: [item?.image_base64, broken] });
  assert.equal(status, 422);
  assert.equal(body.code, 'undecodable_image');
  assert.equal(body.errors[0].path, '/images_base64/1');
});

test('anything but a string in the place of a picture is refused by path, in a small body and in a large one', async () => {
  const large = Buffer.alloc(300_000).toString('base64');
  for (const [images_base64, path] of [
    [[['/9j/']], '/images_base64/0'],
    [[[]], '/images_base64/0'],
    [[large, [large]], '/images_base64/1'],
  ] as const) {
    const { status, body } = await embed({ images_base64 });
    assert.deepEqual([status, body.code, body.errors?.[0].path], [400, 'invalid_request', path]);
  }
});

test('texts or pictures, not both and not neither', async () => {
  for (const payload of [{}, { texts: [] }, { texts: ['a'], images_base64: ['AAAA'] }, { texts: [' '] }]) {
    assert.equal((await embed(payload)).status, 400);
  }
  const { body } = await embed({ texts: ['a', 'b'.repeat(1001)] });
  assert.equal(body.errors[0].path, '/texts/1');
});
