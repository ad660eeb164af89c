import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { lockDataDir } from '../../../src/store/data-dir/lock-data-dir.ts';
import { restoreSnapshot } from '../../../src/store/data-dir/snapshot.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import { openLmdb } from '../../../src/store/lmdb/open-lmdb.ts';
import { sealedByBytes } from '../../../src/store/lmdb/sealed-database.ts';
import {
  BUNDLE,
  openForTest,
  openSample,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  temporaryFolder,
  writeAll,
} from '../sample-covers.ts';

const COVERS = sampleCovers(1_200);
const QUERY = randomEmbedding(randomNumbers(31));

test('a snapshot taken while writes go on is restored as it was', async (t) => {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  const index = await openForTest(t, dataDir);
  await writeAll(index, COVERS);
  const writing = index.write([{ op: 'delete', id: 'cover-0' }]);
  const info = await index.snapshot();
  await writing.searchable;
  const late = sampleCovers(100, 2).map((cover) => ({ ...cover, id: `late-${cover.id}` }));
  await writeAll(index, late);

  const restored = join(folder, 'restored');
  const snapshotDir = join(dataDir, 'snapshots', info.name);
  assert.deepEqual(await restoreSnapshot(snapshotDir, restored), info);
  const events: string[] = [];
  const copy = await openForTest(t, restored, { onEvent: ({ event }) => events.push(event) });
  assert.deepEqual(events, [], 'the graph came with the snapshot');
  const { covers, sequence } = copy.status();
  assert.deepEqual({ covers, sequence }, { covers: info.covers, sequence: info.sequence });
  assert.equal(copy.get('late-cover-1'), undefined);
  assert.equal(copy.get('cover-7')?.title, 'title of cover-7');
  await index.write(late.map(({ id }) => ({ op: 'delete', id }))).searchable;
  const gone = new Set(['cover-0']);
  const without = (ids: readonly string[]) => ids.filter((id) => !gone.has(id));
  assert.deepEqual(without(await recallIds(copy, QUERY, 30)), without(await recallIds(index, QUERY, 30)));
  // The copy goes its own way.
  await writeAll(copy, late);
  assert.equal(copy.status().covers, info.covers + 100);
});

test('what else keeps an LMDB file in the folder is carried, as it was after its last commit', async (t) => {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  const index = await openForTest(t, dataDir);
  const other = openLmdb(join(dataDir, 'notes.lmdb'));
  const judgements = sealedByBytes(other, 'notes');
  const put = (key: string): void =>
    other.transactionSync(() => judgements.put(Buffer.from(key), Buffer.from('relevant')));
  put('query');
  const { name } = await index.snapshot();
  put('late');
  await other.close();

  const restored = join(folder, 'restored');
  await restoreSnapshot(join(dataDir, 'snapshots', name), restored);
  const copy = openLmdb(join(restored, 'notes.lmdb'));
  const copied = sealedByBytes(copy, 'notes');
  assert.equal(copied.get(Buffer.from('query'))?.toString(), 'relevant');
  assert.equal(copied.get(Buffer.from('late')), undefined);
  await copy.close();
  assert.deepEqual((await verifyDataDir(restored)).problems, []);
});

test('a damaged snapshot is refused, and a folder that holds something too', async (t) => {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  const index = await openSample(dataDir);
  await writeAll(index, COVERS.slice(0, 50));
  const { name } = await index.snapshot();
  await index.close();
  const snapshotDir = join(dataDir, 'snapshots', name);

  await assert.rejects(restoreSnapshot(snapshotDir, dataDir), (error) => isFailure(error, 'invalid_config'));
  await assert.rejects(restoreSnapshot(folder, join(folder, 'new')), (error) => isFailure(error, 'corrupt_data'));
  const empty = join(folder, 'empty');
  // As a start leaves it that failed.
  lockDataDir(empty).release();
  await restoreSnapshot(snapshotDir, empty);
  assert.deepEqual((await verifyDataDir(empty)).problems, []);

  const file = join(snapshotDir, 'covers.lmdb');
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
  writeFileSync(file, bytes);
  const target = join(folder, 'target');
  await assert.rejects(restoreSnapshot(snapshotDir, target), (error) => isFailure(error, 'corrupt_data'));
  assert.equal(existsSync(target), false);
  assert.deepEqual(readdirSync(folder).sort(), ['data', 'empty']);
});

test('a snapshot of an empty index is one as well', async (t) => {
  const folder = temporaryFolder(t);
  const index = await openForTest(t, join(folder, 'data'));
  const { name, covers } = await index.snapshot();
  assert.equal(covers, 0);
  const restored = join(folder, 'restored');
  await restoreSnapshot(join(folder, 'data', 'snapshots', name), restored);
  const copy = await openForTest(t, restored);
  await writeAll(copy, COVERS.slice(0, 2));
  assert.equal(copy.status().covers, 2);
});

test('verify reads everything and says what is there', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, COVERS);
  await writeAll(index, COVERS.slice(0, 100));
  await assert.rejects(verifyDataDir(dataDir), (error) => isFailure(error, 'data_dir_busy'));
  await index.close();

  const report = await verifyDataDir(dataDir);
  assert.deepEqual(report.bundle, BUNDLE);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.warnings, []);
  assert.equal(report.covers, 1_200);
  assert.deepEqual(report.graph, { sequence: 1_300, elements: 1_300, deleted: 100 });
  assert.ok(report.selfRecall && report.selfRecall.sampled >= 200);
  assert.equal(report.selfRecall.found, report.selfRecall.sampled);
});

test('verify tells a damaged graph from a damaged store', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, COVERS.slice(0, 20));
  await index.close();
  writeFileSync(join(dataDir, 'graph', 'manifest.json'), '');
  const { problems, warnings } = await verifyDataDir(dataDir);
  assert.deepEqual(problems, []);
  assert.equal(warnings.length, 1);

  await assert.rejects(verifyDataDir(join(dataDir, 'nowhere')), (error) => isFailure(error, 'corrupt_data'));
  writeFileSync(join(dataDir, 'covers.lmdb'), Buffer.alloc(8_192, 'garbage'));
  await assert.rejects(verifyDataDir(dataDir), (error) => isFailure(error, 'corrupt_data'));
  await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'corrupt_data'));
});

test('a snapshot whose manifest means harm is refused, and leaves nothing behind', async (t) => {
  const folder = temporaryFolder(t);
  const index = await openSample(join(folder, 'data'));
  await writeAll(index, COVERS.slice(0, 20));
  const { name } = await index.snapshot();
  await index.close();
  const whole = join(folder, 'data', 'snapshots', name);
  const manifest = JSON.parse(readFileSync(join(whole, 'snapshot.json'), 'utf8')) as { files: Record<string, object> };
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'not for the data folder');
  const files = { ...manifest.files };
  const graph = Object.keys(files).find((file) => file.endsWith('.bin')) ?? '';
  const harmful: [string, (snapshot: string) => void][] = [
    ...['../secret', '/etc/passwd', 'graph/../../secret', 'graph/graph-1-a.bin/..', 'Covers.LMDB', 'a/covers.lmdb'].map(
      (file): [string, (snapshot: string) => void] => [
        file,
        (snapshot) => rewrite(snapshot, { ...manifest, files: { ...files, [file]: files['covers.lmdb'] } }),
      ],
    ),
    ['a later format', (snapshot) => rewrite(snapshot, { ...manifest, format: 99 })],
    ['no format', (snapshot) => rewrite(snapshot, { files })],
    ['no files', (snapshot) => rewrite(snapshot, { ...manifest, files: null })],
    ['null', (snapshot) => rewrite(snapshot, null)],
    ['a list', (snapshot) => rewrite(snapshot, [])],
    ['no store', (snapshot) => rewrite(snapshot, { ...manifest, files: { [graph]: files[graph] } })],
    ['half a manifest', (snapshot) => truncateSync(join(snapshot, 'snapshot.json'), 100)],
    ['a link', (snapshot) => replaceByLink(join(snapshot, 'covers.lmdb'), secret)],
    ['a missing file', (snapshot) => rmSync(join(snapshot, graph))],
    ['a file cut off', (snapshot) => truncateSync(join(snapshot, graph), 10)],
    ['a flipped bit', (snapshot) => flip(join(snapshot, 'covers.lmdb'), 5_000)],
  ];
  for (const [what, damage] of harmful) {
    const snapshot = join(folder, 'snapshot');
    cpSync(whole, snapshot, { recursive: true });
    damage(snapshot);
    const target = join(folder, 'target');
    await assert.rejects(restoreSnapshot(snapshot, target), (error) => isFailure(error, 'corrupt_data'), what);
    rmSync(snapshot, { recursive: true });
    assert.deepEqual(readdirSync(folder).sort(), ['data', 'secret'], what);
  }
});

test('a snapshot of another bundle is restored, and refused by who does not have that bundle', async (t) => {
  const folder = temporaryFolder(t);
  const index = await openSample(join(folder, 'data'));
  await writeAll(index, COVERS.slice(0, 5));
  const { name } = await index.snapshot();
  await index.close();
  const restored = join(folder, 'restored');
  await restoreSnapshot(join(folder, 'data', 'snapshots', name), restored);
  const other = { name: 'other', hash: 'b'.repeat(64) };
  await assert.rejects(openSample(restored, { bundle: other }), (error) => isFailure(error, 'bundle_mismatch'));
});

test('what a killed restore left is cleared away by the next, and two at once are told apart', async (t) => {
  const folder = temporaryFolder(t);
  const index = await openSample(join(folder, 'data'));
  await writeAll(index, COVERS.slice(0, 200));
  const { name } = await index.snapshot();
  await index.close();
  const snapshot = join(folder, 'data', 'snapshots', name);
  const target = join(folder, 'target');
  mkdirSync(join(folder, '.target.restoring'));
  writeFileSync(join(folder, '.target.restoring', 'covers.lmdb'), 'half of it');
  const outcomes = await Promise.allSettled([restoreSnapshot(snapshot, target), restoreSnapshot(snapshot, target)]);
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  assert.equal(refused.length, 1);
  assert.ok(isFailure(refused[0], 'data_dir_busy'));
  assert.deepEqual(readdirSync(folder).sort(), ['data', 'target']);
  assert.deepEqual((await verifyDataDir(target)).problems, []);
});

function rewrite(snapshot: string, manifest: unknown): void {
  writeFileSync(join(snapshot, 'snapshot.json'), JSON.stringify(manifest));
}

function replaceByLink(file: string, to: string): void {
  rmSync(file);
  symlinkSync(to, file);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}
