import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { restoreSnapshot } from '../../src/store/data-dir/snapshot.ts';
import { openService, type TestService } from '../http/service.ts';
import {
  openSample,
  randomEmbedding,
  randomNumbers,
  sampleCovers,
  temporaryFolder,
  writeAll,
} from '../store/sample-covers.ts';
import { freezable } from './frozen-files.ts';
import { mountSmallDisk } from './small-disk.ts';

const MIB = 1024 * 1024;

function item(service: TestService, number: number): object {
  const random = randomNumbers(number);
  return { id: `cover/${number}`, embedding: [...randomEmbedding(random, service.manifest.embedding_dim)] };
}

async function index(service: TestService, numbers: readonly number[]) {
  const payload = { items: numbers.map((number) => item(service, number)) };
  return (await service.call({ method: 'POST', url: '/index', payload })).body;
}

async function events(service: TestService): Promise<string[]> {
  const { text } = await service.call({ url: '/metrics' });
  return [...text.matchAll(/coverrank_events_total\{event="([^"]+)"/g)].map(([, event]) => String(event));
}

test('a full disk under a service: writes, snapshots and savings say so, searches go on, and all is well once there is room', async (t) => {
  const disk = mountSmallDisk(t, 12 * MIB);
  if (disk === undefined) return;
  const service = await openService({
    data_dir: join(disk.folder, 'data'),
    index: { snapshot_every_writes: 100, ef_search: 200, rebuild_tombstones: 1_000, rebuild_share: 0.2 },
  });
  t.after(async () => {
    await service.close();
    disk.unmount();
  });
  const numbers = Array.from({ length: 400 }, (_, i) => i);
  assert.equal((await index(service, numbers)).errors, false);

  disk.fill();
  // Pages that are free inside the file are used up first.
  let full = await index(service, [1_000]);
  for (let number = 1_001; full.errors === false; number++) full = await index(service, [number]);
  const [refused] = full.items;
  assert.deepEqual([refused.status, refused.error.code, refused.error.retryable], [507, 'storage_full', true]);
  const { covers } = (await service.call({ url: '/index' })).body;
  const snapshot = await service.call({ method: 'POST', url: '/snapshot' });
  assert.deepEqual([snapshot.status, snapshot.body.code], [507, 'storage_full']);
  await assert.rejects(service.services.index.rebuild(), (error) => isFailure(error, 'storage_full'));
  const ranked = await service.call({
    method: 'POST',
    url: '/rank',
    payload: { query: '猫', top_n: 5, deadline_ms: 20_000 },
  });
  assert.equal(ranked.body.results.length, 5);

  disk.clear();
  assert.equal((await index(service, [999])).errors, false);
  assert.equal((await service.call({ method: 'POST', url: '/snapshot' })).status, 200);
  await service.services.index.rebuild();
  assert.ok((await events(service)).includes('graph_rebuilt'));
  assert.equal((await service.call({ url: '/index' })).body.covers, covers + 1);
});

test('a restore for which there is no room leaves nothing, and says so', async (t) => {
  const folder = temporaryFolder(t);
  const source = join(folder, 'source');
  const opened = await openSample(source);
  await writeAll(opened, sampleCovers(600));
  const { name } = await opened.snapshot();
  await opened.close();
  const disk = mountSmallDisk(t, MIB / 2);
  if (disk === undefined) return;
  t.after(disk.unmount);
  const target = join(disk.folder, 'data');
  await assert.rejects(restoreSnapshot(join(source, 'snapshots', name), target), (error) =>
    isFailure(error, 'storage_full'),
  );
  assert.deepEqual(readdirSync(disk.folder), []);
});

test('a folder that cannot be written to is refused as such', async (t) => {
  const disk = mountSmallDisk(t, 4 * MIB);
  if (disk === undefined) return;
  t.after(disk.unmount);
  const dataDir = join(disk.folder, 'data');
  const opened = await openSample(dataDir);
  await writeAll(opened, sampleCovers(20));
  await opened.close();
  disk.makeReadOnly();
  await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'invalid_config'));
});

test('a disk that stops taking writes under a service: they are refused by name, reads go on, and writes too once it does', async (t) => {
  const dataDir = join(temporaryFolder(t), 'data');
  const service = await openService({ data_dir: dataDir });
  t.after(() => service.close());
  const judge = (grade: number) => {
    const payload = { judgements: [{ query: '猫', id: 'cover/1', grade }] };
    return service.call({ method: 'PUT', url: '/judgements', payload });
  };
  const numbers = Array.from({ length: 40 }, (_, i) => i);
  assert.equal((await index(service, numbers)).errors, false);
  assert.equal((await judge(1)).status, 200);
  const disk = freezable(t, dataDir);
  if (disk === undefined) return;

  disk.freeze();
  for (let attempt = 0; attempt < 3; attempt++) {
    const [refused] = (await index(service, [100])).items;
    assert.deepEqual([refused.status, refused.error.code, refused.error.retryable], [503, 'unavailable', true]);
  }
  const copy = () => service.call({ method: 'POST', url: '/snapshot' });
  for (const { status, body } of [await judge(2), await copy()]) {
    assert.deepEqual([status, body.code, body.retryable], [503, 'unavailable', true]);
  }
  assert.equal((await service.call({ url: '/covers/cover%2F1' })).status, 200);
  const query = { query: '猫', top_n: 5, deadline_ms: 20_000 };
  const { body } = await service.call({ method: 'POST', url: '/rank', payload: query });
  assert.deepEqual([body.results.length, body.degraded], [5, []]);
  const { text } = await service.call({ url: '/metrics' });
  assert.match(text, /coverrank_index_items_total\{result="unavailable"\} 3/);
  assert.ok((await events(service)).includes('graph_save_failed'));

  disk.thaw();
  assert.equal((await index(service, [100])).errors, false);
  assert.deepEqual([(await judge(2)).body.updated, (await copy()).body.covers], [1, 41]);
});
