import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemsOfFiles, itemsOfLines } from '../../../console/src/covers/new-items.ts';

test('files are named after themselves, and two of one name are told apart', () => {
  const files = ['cat.jpg', 'cat.png', '红烧肉.webp', '.webp'].map((name) => new File([], name));
  assert.deepEqual(
    itemsOfFiles(files).map(({ id }) => id),
    ['cat', 'cat-2', '红烧肉', 'cover'],
  );
});

test('lines are addresses, or id, address and title', () => {
  const text = 'https://h/a/cat.jpg?size=2\n\nv1\thttps://h/x.png\t红烧肉\r\nv2\thttps://h/y.png\nnot an address';
  assert.deepEqual(itemsOfLines(text), [
    { id: 'cat', source: { url: 'https://h/a/cat.jpg?size=2' } },
    { id: 'v1', source: { url: 'https://h/x.png' }, title: '红烧肉' },
    { id: 'v2', source: { url: 'https://h/y.png' } },
    { id: 'not an address', source: { url: 'not an address' } },
  ]);
});

test('an id never has more bytes than the service takes', () => {
  const [item] = itemsOfFiles([new File([], `${'字'.repeat(200)}.jpg`)]);
  assert.ok(Buffer.byteLength(item?.id ?? '') <= 256);
});
