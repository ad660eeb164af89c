import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { openFetchedPictures } from '../../../src/eval/pictures/fetched.ts';
import { openPictureFolder } from '../../../src/eval/pictures/folder.ts';
import { createImageFetcher } from '../../../src/indexing/fetch-image.ts';

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-eval-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a picture of a folder is found by its path or name, with or without the ending', async (t) => {
  const folder = await newFolder(t);
  await mkdir(join(folder, 'inner'));
  await writeFile(join(folder, 'inner', 'a.JPG'), 'picture a');
  await writeFile(join(folder, 'notes.txt'), 'no picture');
  const pictures = await openPictureFolder(folder);
  assert.deepEqual(pictures.covers, ['inner/a']);
  for (const name of ['inner/a', 'inner/a.JPG', 'a', 'a.JPG', 'a.png', 'elsewhere/a.JPG']) {
    assert.equal(Buffer.from(await pictures.read(name)).toString(), 'picture a');
  }
  await assert.rejects(pictures.read('notes'), (error) => isFailure(error, 'not_found'));
  await assert.rejects(openPictureFolder(join(folder, 'nowhere')), (error) => isFailure(error, 'invalid_request'));
});

test('fetched pictures stay for the next run; failures do not', async (t) => {
  const folder = await newFolder(t);
  const asked: string[] = [];
  let broken = true;
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/broken' && broken) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': 'image/webp' }).end(`picture of ${request.url}`);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fetcher = createImageFetcher({ allow: ['127.0.0.1'], concurrency: 2, perHost: 2, maxBytes: 1000 });
  t.after(() => fetcher.close());
  const addresses = new Map([
    ['a', `${base}/a`],
    ['b', `${base}/broken`],
    ['inside', 'http://10.0.0.1/secret'],
  ]);
  const open = () => openFetchedPictures({ fetcher, addresses, keepIn: join(folder, 'fetched') });

  const first = await open();
  assert.equal(Buffer.from(await first.read('a')).toString(), 'picture of /a');
  await assert.rejects(first.read('b'), (error) => isFailure(error, 'fetch_failed'));
  await assert.rejects(first.read('inside'), (error) => isFailure(error, 'fetch_forbidden'));
  await assert.rejects(first.read('unknown'), (error) => isFailure(error, 'not_found'));

  broken = false;
  const second = await open();
  assert.equal(Buffer.from(await second.read('a')).toString(), 'picture of /a');
  assert.equal(Buffer.from(await second.read('b')).toString(), 'picture of /broken');
  assert.deepEqual(asked, ['/a', '/broken', '/broken'], 'the first picture was fetched once');
  assert.ok((await readdir(join(folder, 'fetched'))).every((name) => /^[0-9a-f]{64}$/.test(name)));
});
