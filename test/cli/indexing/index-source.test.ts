import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { coverrank } from '../coverrank.ts';

const ITEMS = 300;
/** Positions of the items that cannot be right: they have no picture. All are in the first batch. */
const BAD = [3, 50, 100, 150, 200];

/** A service that takes every item; `isUp` says no where it is to be gone. */
async function startService(t: TestContext, isUp: () => boolean = () => true): Promise<string> {
  const server = createServer(async (request, response) => {
    const lines = (await text(request)).trim().split('\n');
    if (!isUp()) {
      response.writeHead(401).end();
      return;
    }
    response.end(
      lines.map((line) => `${JSON.stringify({ id: JSON.parse(line).id, status: 200, result: 'deleted' })}\n`).join(''),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function newSource(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-index-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'items.ndjson');
  const items = Array.from({ length: ITEMS }, (_, position) =>
    BAD.includes(position) ? { id: `bad${position}` } : { id: `id${position}`, delete: true },
  );
  await writeFile(path, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  return path;
}

async function rejectedRows(source: string): Promise<number> {
  return (await readFile(`${source}.rejected.ndjson`, 'utf8')).trim().split('\n').length;
}

test('a job that broke off after items had failed is still partly done when it is through', async (t) => {
  const source = await newSource(t);
  let batches = 0;
  const url = await startService(t, () => ++batches !== 2);
  const broken = await coverrank('index', source, '--url', url, '--concurrency', '1', '--json');
  assert.equal(broken.code, 1, broken.stderr);
  assert.equal(await rejectedRows(source), BAD.length);

  const resumed = await coverrank('index', source, '--url', url, '--json');
  assert.equal(resumed.code, 3, resumed.stderr);
  const told = JSON.parse(resumed.stdout);
  assert.deepEqual([told.resumed_from, told.items, told.failed, told.rejected], [256, 44, 0, BAD.length]);
  assert.equal(told.rejected_file, `${source}.rejected.ndjson`);
  assert.equal(await rejectedRows(source), BAD.length);
});

test('progress that an earlier version left names the file too, in words', async (t) => {
  const source = await newSource(t);
  const url = await startService(t);
  const { size, mtimeMs } = await stat(source);
  const state = { fingerprint: `${size} ${mtimeMs}`, target: url, done: 256 };
  await writeFile(`${source}.progress.json`, JSON.stringify(state));
  await writeFile(`${source}.rejected.ndjson`, BAD.map((position) => `{"item":{"id":"bad${position}"}}\n`).join(''));
  const { code, stderr } = await coverrank('index', source, '--url', url);
  assert.equal(code, 3, stderr);
  assert.match(stderr, /What failed is in .*\.rejected\.ndjson.* Of these, 5 failed before this run\.\n$/);
});
