import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../../../src/core/errors.ts';
import type { CoverIndex } from '../../../src/core/ports.ts';
import { openCoverStore } from '../../../src/store/cover-store.ts';
import type { CoverIndexEvent } from '../../../src/store/graph/graph-client.ts';
import { collectWorkers } from '../collect-workers.ts';
import { damageInPlace } from '../damage-in-place.ts';
import {
  never,
  openForTest,
  openSample,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  temporaryFolder,
  upsert,
  writeAll,
} from '../sample-covers.ts';

const COVERS = sampleCovers(1_400);
const QUERY = randomEmbedding(randomNumbers(77));

const savedFolder = mkdtempSync(join(tmpdir(), 'coverrank-saved-'));
let answer: string[];

before(async () => {
  const index = await openSample(savedFolder);
  await writeAll(index, COVERS);
  answer = await recallIds(index, QUERY, 20);
  await index.close();
});
after(() => rmSync(savedFolder, { recursive: true }));

/** A copy of a closed data folder with a saved graph. */
function copyOfSaved(t: TestContext): string {
  const dataDir = temporaryFolder(t);
  cpSync(savedFolder, dataDir, { recursive: true });
  return dataDir;
}

function graphFile(dataDir: string): string {
  const name = readdirSync(join(dataDir, 'graph')).find((file) => file.endsWith('.bin'));
  assert.ok(name);
  return join(dataDir, 'graph', name);
}

const damages: [string, (dataDir: string) => void, string][] = [
  ['a flipped byte', (dataDir) => flip(graphFile(dataDir), 40_000), 'its checksum does not match'],
  [
    'a flipped byte, under a manifest of before there was a quick checksum,',
    (dataDir) => {
      edit(dataDir, { crc32: undefined });
      flip(graphFile(dataDir), 40_000);
    },
    'its checksum does not match',
  ],
  ['a truncated file', (dataDir) => truncateSync(graphFile(dataDir), 5_000), 'its checksum does not match'],
  ['an empty file', (dataDir) => truncateSync(graphFile(dataDir), 0), 'its checksum does not match'],
  ['a missing file', (dataDir) => rmSync(graphFile(dataDir)), 'its file is missing'],
  [
    'a manifest of garbage',
    (dataDir) => writeFileSync(manifestFile(dataDir), '{"format":'),
    'its manifest cannot be read',
  ],
  ['no manifest', (dataDir) => rmSync(manifestFile(dataDir)), 'there is none'],
  ['another store', (dataDir) => edit(dataDir, { storeId: 'other' }), 'it belongs to another store'],
  ['another bundle', (dataDir) => edit(dataDir, { bundleHash: 'b' }), 'it belongs to another bundle'],
  ['a sequence from the future', (dataDir) => edit(dataDir, { sequence: 9_999 }), 'it is newer than the store'],
  ['a log that was trimmed', (dataDir) => edit(dataDir, { sequence: 1_000 }), 'the log of writes ends too early'],
  ['a name that leads elsewhere', (dataDir) => edit(dataDir, { file: '../covers.lmdb' }), 'its manifest is damaged'],
  ['an empty graph', (dataDir) => edit(dataDir, { file: null }), 'it does not hold the covers of the store'],
];

for (const [name, damage, because] of damages) {
  test(`${name} in the saved graph: it is built anew, and said so`, async (t) => {
    const dataDir = copyOfSaved(t);
    damage(dataDir);
    const events: CoverIndexEvent[] = [];
    const index = await openForTest(t, dataDir, { onEvent: (event) => events.push(event) });
    assert.deepEqual(
      events.map((event) => (event.event === 'graph_rebuilt' ? [event.because, event.covers] : event)),
      [[because, COVERS.length]],
    );
    assert.deepEqual(await recallIds(index, QUERY, 20), answer);
    assert.equal(index.status().graph.state, 'ready');
  });
}

test('tombstones beyond their share are dropped, while searches go on', async (t) => {
  const events: CoverIndexEvent[] = [];
  const index = await openForTest(t, temporaryFolder(t), {
    rebuildWhen: { tombstones: 100, share: 0.2 },
    onEvent: (event) => events.push(event),
  });
  await writeAll(index, COVERS);
  const gone = COVERS.slice(0, 400);
  await index.write(gone.map(({ id }) => ({ op: 'delete', id }))).searchable;
  assert.equal(index.status().covers, 1_000);
  let searches = 0;
  while (index.status().deleted > 0) {
    const ids = await recallIds(index, QUERY, 50);
    assert.equal(ids.length, 50);
    searches += 1;
    // Writes during the rebuild are in the new graph as well.
    if (searches <= 30)
      await writeAll(index, [{ id: `late-${searches}`, embedding: randomEmbedding(randomNumbers(searches)) }]);
    else await delay(5);
  }
  const { graph, covers } = index.status();
  assert.equal(graph.elements, covers);
  assert.ok(events.some(({ event }) => event === 'graph_rebuilt'));
  const all = new Set(await recallIds(index, QUERY, 5_000));
  assert.equal(all.size, covers);
  assert.ok(gone.every(({ id }) => !all.has(id)));
});

test('where tombstones cannot be dropped, the graph is saved with them and it is not tried again and again', async (t) => {
  const dataDir = temporaryFolder(t);
  const events: string[] = [];
  const index = await openForTest(t, dataDir, {
    rebuildWhen: { tombstones: 20, share: 0.1 },
    onEvent: ({ event }) => events.push(event),
  });
  const failedRebuilds = () => events.filter((event) => event === 'graph_rebuild_failed').length;
  const drop = async (from: number, to: number) => {
    await index.write(COVERS.slice(from, to).map(({ id }) => ({ op: 'delete', id }))).searchable;
    // Waits for whatever that set going.
    await index.snapshot();
  };
  await writeAll(index, COVERS.slice(0, 100));
  damageInPlace(join(dataDir, 'covers.lmdb'), Buffer.from(COVERS[99]?.embedding.buffer as ArrayBuffer));
  await index.write(COVERS.slice(0, 30).map(({ id }) => ({ op: 'delete', id }))).searchable;
  while (index.status().snapshot?.sequence !== 130) await delay(5);
  assert.equal(failedRebuilds(), 1);
  await drop(30, 35);
  await drop(35, 50);
  assert.equal(failedRebuilds(), 1);
  await drop(50, 60);
  assert.deepEqual([failedRebuilds(), index.status().deleted], [2, 60]);
});

test('a rebuild that is asked for drops the tombstones and is saved', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  await writeAll(index, COVERS.slice(0, 50));
  await writeAll(index, COVERS.slice(0, 20));
  assert.equal(index.status().deleted, 20);
  await index.rebuild();
  const { deleted, graph, snapshot } = index.status();
  assert.deepEqual(
    { deleted, elements: graph.elements, saved: snapshot?.sequence },
    { deleted: 0, elements: 50, saved: 70 },
  );
});

test('a dead graph thread is started again and catches up; meanwhile searches say so', async (t) => {
  const workers = collectWorkers(t);
  const events: CoverIndexEvent[] = [];
  const index = await openForTest(t, temporaryFolder(t), { onEvent: (event) => events.push(event) });
  await writeAll(index, COVERS.slice(0, 300));
  const answer = await recallIds(index, QUERY, 20);
  const late = { id: 'late', embedding: QUERY };
  const graphThread = workers[1];
  assert.ok(graphThread);
  const ended = graphThread.terminate();
  const { durable, searchable } = index.write([upsert(late)]);
  assert.deepEqual(await durable, ['created']);
  await ended;
  await assert.rejects(recallIds(index, QUERY, 20), (error) => isFailure(error, 'unavailable'));
  assert.equal(index.status().graph.state, 'loading');
  await searchable;
  assert.deepEqual(await recallWhenUp(index), ['late', ...answer]);
  assert.ok(events.some(({ event }) => event === 'thread_died'));
  assert.equal(workers.length, 3);
});

test('the graph is saved every so many writes, the log is trimmed, and a crash then replays the rest', async (t) => {
  const dataDir = temporaryFolder(t);
  const crashed = join(dataDir, 'crashed');
  const saved: number[] = [];
  const index = await openForTest(t, join(dataDir, 'live'), {
    snapshotEveryWrites: 100,
    onEvent: (event) => event.event === 'graph_saved' && saved.push(event.sequence),
  });
  for (let i = 0; i < 350; i += 50) {
    await writeAll(index, COVERS.slice(i, i + 50));
    while (index.status().sequence - (index.status().snapshot?.sequence ?? 0) >= 100) await delay(5);
  }
  assert.deepEqual(saved, [100, 200, 300]);
  const answer = await recallIds(index, QUERY, 30);
  // What lies on disk while the index is open is what a crash leaves.
  cpSync(join(dataDir, 'live'), crashed, { recursive: true });
  const store = openCoverStore(join(crashed, 'covers.lmdb'));
  assert.deepEqual(store.logAfter(0, 1)[0]?.sequence, 301);
  await store.close();
  const events: string[] = [];
  const again = await openForTest(t, crashed, { onEvent: ({ event }) => events.push(event) });
  assert.deepEqual(events, []);
  assert.equal(again.status().graph.sequence, 350);
  assert.deepEqual(await recallIds(again, QUERY, 30), answer);
});

test('an index can be closed while its graph is being built', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, COVERS);
  const rebuilding = index.rebuild();
  const closing = index.close();
  await assert.rejects(rebuilding, (error) => isFailure(error, 'unavailable'));
  await closing;
  const again = await openForTest(t, dataDir);
  assert.equal(again.status().covers, COVERS.length);
  assert.equal((await recallIds(again, QUERY, 2_000)).length, COVERS.length);
});

test('covers that cannot be read are told as damage', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, COVERS.slice(0, 3));
  await index.close();
  const file = join(dataDir, 'covers.lmdb');
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf('"attributes"'); at !== -1; at = bytes.indexOf('"attributes"', at + 1)) bytes[at] = 0;
  writeFileSync(file, bytes);
  await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'corrupt_data'));
});

test('damage is told while the graph is still being read, and the process lives on', async (t) => {
  const dataDir = copyOfSaved(t);
  const file = join(dataDir, 'covers.lmdb');
  flip(file, readFileSync(file).indexOf(Buffer.from('title of cover-0"')));
  for (let i = 0; i < 5; i++) await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'corrupt_data'));
});

/** `searchable` settles while the thread is being prepared; it takes calls a moment later. */
async function recallWhenUp(index: CoverIndex): Promise<string[]> {
  while (index.status().graph.state === 'loading') await delay(1);
  const { neighbors } = await index.recall({ embedding: QUERY, k: 21 }, never());
  return neighbors.map(({ id }) => id);
}

function manifestFile(dataDir: string): string {
  return join(dataDir, 'graph', 'manifest.json');
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}

function edit(dataDir: string, changes: object): void {
  const manifest = JSON.parse(readFileSync(manifestFile(dataDir), 'utf8')) as object;
  writeFileSync(manifestFile(dataDir), JSON.stringify({ ...manifest, ...changes }));
}
