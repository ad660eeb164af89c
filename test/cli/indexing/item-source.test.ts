import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ItemSource, openItemSource, type SourceItem } from '../../../src/cli/indexing/item-source.ts';
import { isFailure } from '../../../src/core/errors.ts';

const options = { maxImageBytes: 100 };

async function folderWith(t: TestContext, files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-source-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

async function itemsOf(source: ItemSource, from = 0): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const item of source.items(from)) items.push(item);
  return items;
}

function told({ content }: SourceItem): unknown {
  return 'item' in content ? content.item : content.error.code;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('NDJSON: items as they are, with pictures of files read in', async (t) => {
  const folder = await folderWith(t, {
    'covers/a.webp': 'picture a',
    'items.ndjson': [
      '{"id": "a", "file": "covers/a.webp", "title": "标题", "attributes": {"n": 1}}',
      '',
      '{"id": "b", "image_url": "https://x.example/b.jpg"}',
      '{"id": "c", "delete": true}',
      'not json',
      '{"id": "d", "file": "covers/missing.webp"}',
      '{"id": "e", "file": "covers/a.webp", "image_url": "https://x.example/"}',
      '{"id": "f", "colour": "red", "delete": true}',
      '{"item": {"id": "g", "delete": true}, "error": {"code": "fetch_failed"}}',
    ].join('\n'),
  });
  const source = await openItemSource(join(folder, 'items.ndjson'), options);
  const items = await itemsOf(source);
  assert.deepEqual(items.map(told), [
    { id: 'a', title: '标题', attributes: { n: 1 }, image_base64: base64('picture a') },
    { id: 'b', image_url: 'https://x.example/b.jpg' },
    { id: 'c', delete: true },
    'invalid_request',
    'invalid_request',
    'invalid_request',
    'invalid_request',
    { id: 'g', delete: true },
  ]);
  assert.deepEqual(
    items.map(({ position }) => position),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(items.at(-1)?.endsAt, source.size);
  assert.deepEqual(
    (await itemsOf(source, 6)).map(({ position }) => position),
    [6, 7],
  );
  // What failed is kept as the source has it, so that it can be mended and sent again.
  assert.deepEqual(items[4]?.origin, { id: 'd', file: 'covers/missing.webp' });
  assert.equal(items[3]?.origin, 'not json');
});

test('a line that cannot be read is a rejected item, and the rest goes on', async (t) => {
  const folder = await folderWith(t, {
    'items.ndjson': Buffer.concat([
      Buffer.from('{"id": "a", "delete": true}\n{"id": "'),
      Buffer.from([0xe7, 0x8c]),
      Buffer.from(`", "delete": true}\n{"id": "c", "title": "${'x'.repeat(70_000)}"}\n{"id": "d", "delete": true}\n`),
    ]),
  });
  const source = await openItemSource(join(folder, 'items.ndjson'), options);
  const items = await itemsOf(source);
  assert.deepEqual(items.map(told), [
    { id: 'a', delete: true },
    'invalid_request',
    'too_large',
    { id: 'd', delete: true },
  ]);
  assert.deepEqual([items[1]?.origin, items[2]?.origin], [{ line: 2 }, { line: 3 }]);
  assert.equal(items.at(-1)?.endsAt, source.size);
  // A rerun that goes on behind them counts them as items too.
  assert.deepEqual((await itemsOf(source, 3)).map(told), [{ id: 'd', delete: true }]);
});

test('TSV: id, picture and title', async (t) => {
  const folder = await folderWith(t, {
    'a.png': 'a',
    'list.tsv': 'x\ta.png\t标题\ny\thttp://h.example/p.jpg\nz\ta.png\t\n\tno id\none\nfour\ta.png\tt\tmore\n',
  });
  const items = await itemsOf(await openItemSource(join(folder, 'list.tsv'), options));
  assert.deepEqual(items.map(told), [
    { id: 'x', title: '标题', image_base64: base64('a') },
    { id: 'y', image_url: 'http://h.example/p.jpg' },
    { id: 'z', image_base64: base64('a') },
    'invalid_request',
    'invalid_request',
    'invalid_request',
  ]);
});

test('a folder: its pictures, by path', async (t) => {
  const folder = await folderWith(t, {
    'in/b.PNG': 'b',
    'in/sub/a.jpg': 'a',
    'in/notes.txt': 'x',
    'in/empty.webp': '',
    'in/large.jpeg': Buffer.alloc(101),
  });
  const source = await openItemSource(join(folder, 'in'), options);
  const items = await itemsOf(source);
  assert.equal(source.size, 4);
  assert.deepEqual(items.map(told), [
    { id: 'b', image_base64: base64('b') },
    'undecodable_image',
    'too_large',
    { id: 'sub/a', image_base64: base64('a') },
  ]);
  assert.deepEqual(items[1]?.origin, { id: 'empty', file: join('in', 'empty.webp') });
});

test('pictures outside the root are not read', async (t) => {
  const folder = await folderWith(t, {
    'secret.png': 'secret',
    'in/list.tsv': `up\t../secret.png\nabsolute\t/etc/hostname\nodd\ta/../../secret.png\n`,
  });
  const path = join(folder, 'in', 'list.tsv');
  const closed = await itemsOf(await openItemSource(path, options));
  assert.deepEqual(closed.map(told), ['invalid_request', 'invalid_request', 'invalid_request']);
  const open = await openItemSource(path, { ...options, root: folder });
  assert.deepEqual((await itemsOf(open)).map(told), ['invalid_request', 'invalid_request', 'invalid_request']);
  await writeFile(path, 'up\tsecret.png\n');
  const [item] = await itemsOf(await openItemSource(path, { ...options, root: folder }));
  assert.deepEqual(item && told(item), { id: 'up', image_base64: base64('secret') });
});

test('the fingerprint follows the source', async (t) => {
  const folder = await folderWith(t, { 'in/a.png': 'a', 'list.tsv': 'x\ty\n' });
  const fingerprint = async (name: string) => (await openItemSource(join(folder, name), options)).fingerprint;
  for (const [name, change] of [
    ['in', () => writeFile(join(folder, 'in/b.png'), 'b')],
    ['list.tsv', () => writeFile(join(folder, 'list.tsv'), 'x\tz\nmore\ty\n')],
  ] as const) {
    const before = await fingerprint(name);
    assert.equal(await fingerprint(name), before);
    await change();
    assert.notEqual(await fingerprint(name), before);
  }
});

test('a source that is not there, or not what it is said to be, is an error', async (t) => {
  const folder = await folderWith(t, { 'list.tsv': '' });
  const fails = (path: string, format?: 'folder' | 'tsv') =>
    assert.rejects(openItemSource(path, { ...options, format }), (error) => isFailure(error, 'invalid_request'));
  await fails(join(folder, 'nothing'));
  await fails(folder, 'tsv');
  await fails(join(folder, 'list.tsv'), 'folder');
});
