import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openIndexProgress } from '../../../src/cli/indexing/index-progress.ts';
import type { ItemJson, ItemSource, SourceItem } from '../../../src/cli/indexing/item-source.ts';
import { uploadItems } from '../../../src/cli/indexing/upload-items.ts';
import type { ItemAnswer, ServiceClient } from '../../../src/cli/service-client.ts';
import { failure } from '../../../src/core/errors.ts';

async function newSourcePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-job-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'items.ndjson');
}

function sourceOf(ids: readonly string[]): ItemSource {
  return {
    format: 'ndjson',
    size: ids.length,
    fingerprint: 'f',
    async *items(from) {
      for (const [position, id] of ids.entries()) {
        if (position < from) continue;
        const content: SourceItem['content'] = id.startsWith('bad')
          ? { error: failure('invalid_request', 'bad') }
          : { item: { id, delete: true } };
        yield { position, endsAt: position + 1, origin: { id }, content };
      }
    },
  };
}

/** A service that takes a while and records what it got; `answer` says what becomes of an item. */
function recordingClient(answer: (id: string) => Partial<ItemAnswer> = () => ({ result: 'deleted' })) {
  const batches: string[][] = [];
  let now = 0;
  const seen = { batches, mostAtOnce: 0 };
  const client: Pick<ServiceClient, 'index'> = {
    async index(items: readonly ItemJson[]) {
      const ids = items.map(({ id }) => String(id));
      seen.mostAtOnce = Math.max(seen.mostAtOnce, ++now);
      batches.push(ids);
      await sleep(5 + ((batches.length * 7) % 11));
      now--;
      return ids.map((id) => ({ id, status: 200, ...answer(id) }));
    },
  };
  return { client: client as ServiceClient, seen };
}

const job = { fingerprint: 'f', target: 'http://a', fresh: false };
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `id${index}`);

test('everything is sent once, counted, and nothing is left behind', async (t) => {
  const path = await newSourcePath(t);
  const { client, seen } = recordingClient((id) => ({ result: id === 'id3' ? 'not_found' : 'deleted' }));
  const progress = await openIndexProgress(path, job);
  const counts = await uploadItems(sourceOf(ids(1000)), client, progress, { concurrency: 3, retryPauseMs: 1 });
  assert.deepEqual(seen.batches.flat(), ids(1000));
  assert.equal(seen.mostAtOnce, 3);
  assert.deepEqual(counts, {
    items: 1000,
    failed: 0,
    created: 0,
    updated: 0,
    unchanged: 0,
    deleted: 999,
    not_found: 1,
  });
  await assert.rejects(readFile(`${path}.progress.json`));
  await assert.rejects(readFile(progress.rejectedFile));
});

test('what failed here or there is in the file of rejected items, in order', async (t) => {
  const path = await newSourcePath(t);
  const refused = { error: { code: 'fetch_failed', detail: 'no', retryable: true } };
  const { client } = recordingClient((id) => (id === 'id1' ? refused : { result: 'deleted' }));
  const progress = await openIndexProgress(path, job);
  const counts = await uploadItems(sourceOf(['id0', 'bad0', 'id1', 'id2', 'bad1']), client, progress, {
    concurrency: 1,
  });
  assert.equal(counts.failed, 3);
  assert.equal(counts.deleted, 2);
  const rows = (await readFile(progress.rejectedFile, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.map(({ item, error }) => [item.id, error.code]),
    [
      ['bad0', 'invalid_request'],
      ['id1', 'fetch_failed'],
      ['bad1', 'invalid_request'],
    ],
  );
});

test('a run that broke off goes on where it was, for the same source and target only', async (t) => {
  const path = await newSourcePath(t);
  const first = recordingClient();
  const broken: ServiceClient = {
    ...first.client,
    index: async (items) => {
      if (first.seen.batches.length === 2) throw failure('unavailable', 'gone');
      return first.client.index(items);
    },
  };
  const before = await openIndexProgress(path, job);
  await assert.rejects(uploadItems(sourceOf(ids(1000)), broken, before, { concurrency: 1, retryPauseMs: 1 }), /gone/);

  assert.equal((await openIndexProgress(path, { ...job, target: 'http://b' })).resumeFrom, 0);
  assert.equal((await openIndexProgress(path, { ...job, fingerprint: 'g' })).resumeFrom, 0);
  assert.equal((await openIndexProgress(path, { ...job, fresh: true })).resumeFrom, 0);

  const after = await openIndexProgress(path, job);
  assert.equal(after.resumeFrom, 512);
  const second = recordingClient();
  await uploadItems(sourceOf(ids(1000)), second.client, after, { concurrency: 2, retryPauseMs: 1 });
  assert.deepEqual([...first.seen.batches.flat(), ...second.seen.batches.flat()], ids(1000));
  assert.equal((await openIndexProgress(path, job)).resumeFrom, 0);
});

test('a batch that names an id which is on its way waits for it', async (t) => {
  const { client, seen } = recordingClient();
  const progress = await openIndexProgress(await newSourcePath(t), job);
  const twice = [...ids(256), ...ids(256)];
  await uploadItems(sourceOf(twice), client, progress, { concurrency: 4, retryPauseMs: 1 });
  assert.equal(seen.mostAtOnce, 1);
  assert.deepEqual(seen.batches.flat(), twice);
});

test('an item that may pass later is tried again, unless a later one with its id stands', async (t) => {
  const path = await newSourcePath(t);
  const tries = new Map<string, number>();
  const { client, seen } = recordingClient((id) => {
    const count = (tries.get(id) ?? 0) + 1;
    tries.set(id, count);
    const error = { code: 'fetch_failed', detail: '', retryable: id !== 'never' };
    return id === 'fine' || (id === 'later' && count === 3) ? { result: 'created' } : { error };
  });
  const source = sourceOf(['later', 'fine', 'never', 'twice', 'always', 'twice']);
  const progress = await openIndexProgress(path, job);
  const counts = await uploadItems(source, client, progress, { concurrency: 1, retryPauseMs: 1 });
  assert.deepEqual(seen.batches.slice(1), [
    ['later', 'always', 'twice'],
    ['later', 'always', 'twice'],
  ]);
  assert.deepEqual([counts.created, counts.failed], [2, 4]);
});
