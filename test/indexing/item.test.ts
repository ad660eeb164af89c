import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IndexItem, RejectedItem, UpsertItem } from '../../src/indexing/item.ts';
import { parseItem } from '../../src/indexing/item.ts';

const PIXEL = 'iVBORw0KGgo=';

function accepted(json: unknown): UpsertItem {
  const item = parseItem(json);
  assert.ok('source' in item, `rejected: ${'error' in item ? item.error.detail : 'a delete'}`);
  return item;
}

function rejected(json: unknown, limits?: { maxImageBytes: number }): RejectedItem {
  const item: IndexItem | RejectedItem = parseItem(json, limits);
  assert.ok('error' in item, 'the item was accepted');
  return item;
}

test('an item with a picture gets its defaults', () => {
  const item = accepted({ id: 'a', image_base64: PIXEL });
  assert.deepEqual(item, {
    id: 'a',
    source: { bytes: Buffer.from('89504e470d0a1a0a', 'hex') },
    title: undefined,
    attributes: {},
    ifChanged: true,
  });
});

test('every field is read', () => {
  const attributes = { channel: 'food', views: 12, hd: true, tags: ['猫', 'cat'] };
  const item = accepted({
    id: '猫-1',
    image_url: 'https://x.example/a.jpg',
    title: '红烧肉',
    attributes,
    if_changed: false,
  });
  assert.deepEqual(item, {
    id: '猫-1',
    source: { url: 'https://x.example/a.jpg' },
    title: '红烧肉',
    attributes,
    ifChanged: false,
  });
  assert.deepEqual(accepted({ id: 'a', embedding: [1, 0.5] }).source, { embedding: Float32Array.of(1, 0.5) });
  assert.deepEqual(parseItem({ id: 'a', delete: true }), { id: 'a', delete: true });
});

test('what is wrong is named by its place', () => {
  const cases: [unknown, string][] = [
    [null, ''],
    [[], ''],
    ['text', ''],
    [{ image_base64: PIXEL }, ''],
    [{ id: '', image_base64: PIXEL }, '/id'],
    [{ id: 7, image_base64: PIXEL }, '/id'],
    [{ id: '猫'.repeat(86), image_base64: PIXEL }, '/id'],
    [{ id: '\ud800', image_base64: PIXEL }, '/id'],
    [{ id: 'a' }, ''],
    [{ id: 'a', image_base64: PIXEL, image_url: 'https://x.example/' }, ''],
    [{ id: 'a', image_base64: PIXEL, delete: true }, ''],
    [{ id: 'a', delete: false }, '/delete'],
    [{ id: 'a', delete: true, title: 't' }, '/title'],
    [{ id: 'a', image_url: 'ftp://x.example/' }, '/image_url'],
    [{ id: 'a', image_url: 'x.jpg' }, '/image_url'],
    [{ id: 'a', embedding: [] }, '/embedding'],
    [{ id: 'a', embedding: [1, '2'] }, '/embedding/1'],
    [{ id: 'a', image_base64: PIXEL, title: 1 }, '/title'],
    [{ id: 'a', image_base64: PIXEL, title: '长'.repeat(1366) }, '/title'],
    [{ id: 'a', image_base64: PIXEL, attributes: { a: null } }, '/attributes/a'],
    [{ id: 'a', image_base64: PIXEL, attributes: { a: { b: 1 } } }, '/attributes/a'],
    [{ id: 'a', image_base64: PIXEL, attributes: { a: [1] } }, '/attributes/a'],
    [{ id: 'a', image_base64: PIXEL, attributes: { a: Number.NaN } }, '/attributes/a'],
    [{ id: 'a', image_base64: PIXEL, attributes: { a: 'x'.repeat(8192) } }, '/attributes'],
    [{ id: 'a', image_base64: PIXEL, if_changed: 'no' }, '/if_changed'],
    [{ id: 'a', image_base64: PIXEL, 'a/b': 1 }, '/a~1b'],
  ];
  for (const [json, path] of cases) {
    const { error } = rejected(json);
    assert.equal(error.code, 'invalid_request', JSON.stringify(json));
    assert.equal(error.errors?.[0]?.path, path, `${JSON.stringify(json)?.slice(0, 80)}: ${error.detail}`);
  }
});

test('an attribute is told all the forms that it may have', () => {
  for (const value of ['1e309', 'null', '{"b":1}', '[1]', '["a",{}]']) {
    const { error } = rejected(JSON.parse(`{"id":"a","image_base64":"${PIXEL}","attributes":{"x":${value}}}`));
    assert.equal(error.detail, '/attributes/x must be a string, finite number, boolean or list of strings.', value);
  }
});

test('a rejected item keeps its id where it has one that can be told', () => {
  assert.equal(rejected({ id: 'a', colour: 1 }).id, 'a');
  assert.equal(rejected({ id: 7 }).id, '');
  assert.equal(rejected({ id: 'x'.repeat(257) }).id, '');
  assert.equal(rejected(undefined).id, '');
});

test('prototypes are out of reach', () => {
  assert.equal(
    rejected(JSON.parse('{"id":"a","image_base64":"AAAA","__proto__":{"x":1}}')).error.code,
    'invalid_request',
  );
  assert.equal(
    rejected(JSON.parse('{"id":"a","image_base64":"AAAA","attributes":{"__proto__":"x"}}')).error.errors?.[0]?.path,
    '/attributes/__proto__',
  );
  const { attributes } = accepted({ id: 'a', image_base64: 'AAAA', attributes: { constructor: 'x' } });
  assert.deepEqual(Object.entries(attributes), [['constructor', 'x']]);
  // An id is not read through a prototype either.
  assert.equal(rejected(Object.create({ id: 'inherited' })).id, '');
});

test('base64 is strict', () => {
  for (const text of ['AAA', 'AAA=A', 'AA-_', 'AA AA', 'AAAA\n', 'AB==', 'data:image/png;base64,AAAA', '====']) {
    assert.equal(rejected({ id: 'a', image_base64: text }).error.errors?.[0]?.path, '/image_base64', text);
  }
});

test('base64 of any bytes comes back as those bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
      const { source } = accepted({ id: 'a', image_base64: Buffer.from(bytes).toString('base64') });
      assert.ok('bytes' in source);
      assert.deepEqual(Buffer.from(source.bytes), Buffer.from(bytes));
    }),
  );
});

test('a picture above the limit is too large, one at the limit is not', () => {
  const at = Buffer.alloc(100).toString('base64');
  assert.ok('source' in parseItem({ id: 'a', image_base64: at }, { maxImageBytes: 100 }));
  assert.equal(rejected({ id: 'a', image_base64: at }, { maxImageBytes: 99 }).error.code, 'too_large');
  assert.equal(rejected({ id: 'a', image_base64: at }, { maxImageBytes: 10 }).error.code, 'too_large');
});

test('no JSON value makes it throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const item = parseItem(json);
      assert.equal(typeof item.id, 'string');
    }),
  );
});

test('base64 is taken when it is what encoding the same bytes would give, and only then', () => {
  const takes = (text: string): boolean => 'source' in parseItem({ id: 'a', image_base64: text });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
      assert.ok(takes(Buffer.from(bytes).toString('base64')));
    }),
  );
  const alphabet = [...'AZaz09+/=-_ \n*\u00e9\u0141\u732b'];
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 12 }), (text) => {
      assert.equal(takes(text), Buffer.from(text, 'base64').toString('base64') === text, JSON.stringify(text));
    }),
    { numRuns: 5000 },
  );
});
