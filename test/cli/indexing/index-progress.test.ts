import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openIndexProgress, type RejectedRow } from '../../../src/cli/indexing/index-progress.ts';

const job = { fingerprint: 'f', target: 'http://a', fresh: false };
const rows = (count: number): RejectedRow[] =>
  Array.from({ length: count }, (_, number) => ({
    item: { id: `bad${number}` },
    error: { code: 'invalid_request', detail: 'bad', retryable: false },
  }));

async function newSourcePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-progress-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'items.ndjson');
}

test('what a job rejected before it broke off still counts when it goes on', async (t) => {
  const path = await newSourcePath(t);
  const first = await openIndexProgress(path, job);
  await first.reject(rows(5));
  await first.save(256);
  assert.equal(first.rejected(), 5);

  const second = await openIndexProgress(path, job);
  assert.deepEqual([second.resumeFrom, second.rejected()], [256, 5]);
  await second.reject(rows(2));
  await second.save(300);
  assert.equal((await openIndexProgress(path, job)).rejected(), 7);
  assert.equal((await readFile(second.rejectedFile, 'utf8')).trim().split('\n').length, 7);
});

test('a job that starts from its beginning has rejected nothing', async (t) => {
  const path = await newSourcePath(t);
  const before = await openIndexProgress(path, job);
  await before.reject(rows(3));
  await before.save(256);
  for (const changes of [{ fresh: true }, { target: 'http://b' }, { fingerprint: 'g' }]) {
    const other = await openIndexProgress(path, { ...job, ...changes });
    assert.deepEqual([other.resumeFrom, other.rejected()], [0, 0]);
    await assert.rejects(readFile(other.rejectedFile));
  }
});

test('progress of a version that kept no count goes on, and counts the rows of its file', async (t) => {
  const path = await newSourcePath(t);
  const { fingerprint, target } = job;
  await writeFile(`${path}.progress.json`, JSON.stringify({ fingerprint, target, done: 256 }));
  const without = await openIndexProgress(path, job);
  assert.deepEqual([without.resumeFrom, without.rejected()], [256, 0]);
  await without.reject(rows(5));
  // Not saved: the state on disk is still the old one.
  assert.equal((await openIndexProgress(path, job)).rejected(), 5);
});
