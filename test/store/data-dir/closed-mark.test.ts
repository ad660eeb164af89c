import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import { isFailure } from '../../../src/core/errors.ts';
import type { ClosedMark } from '../../../src/store/data-dir/closed-mark.ts';
import { dataDirPaths } from '../../../src/store/data-dir/data-dir.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import { lmdbTransaction } from '../../../src/store/lmdb/check-lmdb.ts';
import {
  closedFolder,
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

const COVERS = sampleCovers(60);
const QUERY = randomEmbedding(randomNumbers(8));
const FLIPS = 30;

function markOf(store: string): ClosedMark {
  const bytes = readFileSync(store);
  return {
    format: 1,
    bytes: bytes.length,
    modifiedMs: statSync(store).mtimeMs,
    transaction: lmdbTransaction(store),
    crc32: crc32(bytes),
  };
}

function readMark(file: string): ClosedMark {
  return JSON.parse(readFileSync(file, 'utf8')) as ClosedMark;
}

/** Flips a bit of the embedding of `cover`. */
function damageEmbedding(file: string, { embedding }: (typeof COVERS)[number]): void {
  const bytes = readFileSync(file);
  const at = bytes.indexOf(Buffer.from(embedding.buffer));
  assert.ok(at > 0);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(file, bytes);
}

/** What a disk does that damages a file while it is in use: the mark is of the damaged bytes. */
function fitMark({ store, closed }: ReturnType<typeof dataDirPaths>): void {
  writeFileSync(closed, JSON.stringify(markOf(store)));
}

test('an orderly end leaves a mark of the bytes on disk; an index that is open has none, nor what a crash leaves', async (t) => {
  const { root, store, closed } = await closedFolder(t, COVERS);
  const first = readMark(closed);
  assert.deepEqual(first, markOf(store));

  const reading = await openSample(root);
  assert.ok(!existsSync(closed));
  const answer = await recallIds(reading, QUERY, 10);
  await reading.close();
  assert.deepEqual(readMark(closed), first, 'nothing was written');

  const writing = await openSample(root);
  assert.deepEqual(await recallIds(writing, QUERY, 10), answer);
  await writeAll(writing, [{ id: 'late', embedding: QUERY }]);
  await writing.close();
  assert.notDeepEqual(readMark(closed), first);
  assert.deepEqual(readMark(closed), markOf(store));
  const { problems, warnings } = await verifyDataDir(root);
  assert.deepEqual([problems, warnings], [[], []]);
  assert.ok(existsSync(closed), 'to verify is not to open for writing');
  const again = await openForTest(t, root);
  assert.deepEqual(await recallIds(again, QUERY, 1), ['late']);
});

test('a start that is refused for another reason than damage leaves the mark as it was', async (t) => {
  const { root, store, closed } = await closedFolder(t, COVERS);
  const mark = readMark(closed);
  const bundle = { name: 'mistyped', hash: 'b'.repeat(64) };
  const refuse = () => assert.rejects(openSample(root, { bundle }), (error) => isFailure(error, 'bundle_mismatch'));
  await refuse();
  assert.deepEqual(readMark(closed), mark);

  // Of a file that changed since it would not be true.
  damageEmbedding(store, COVERS[3] as (typeof COVERS)[number]);
  await refuse();
  assert.ok(!existsSync(closed));
});

test('what changed since the orderly end is found by the start, wherever it is', async (t) => {
  const whole = await closedFolder(t, COVERS);
  const damaged = dataDirPaths(join(temporaryFolder(t), 'damaged'));
  const index = await openSample(whole.root);
  const answer = await recallIds(index, QUERY, 10);
  await index.close();
  const { bytes: length } = readMark(whole.closed);
  const random = randomNumbers(6);
  let refused = 0;
  for (let flip = 0; flip < FLIPS; flip++) {
    rmSync(damaged.root, { recursive: true, force: true });
    cpSync(whole.root, damaged.root, { recursive: true });
    const bytes = readFileSync(damaged.store);
    const at = Math.floor(random() * length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
    writeFileSync(damaged.store, bytes);
    try {
      const opened = await openSample(damaged.root);
      assert.deepEqual(await recallIds(opened, QUERY, 10), answer, `the flip at ${at}`);
      await opened.close();
    } catch (error) {
      assert.ok(isFailure(error, 'corrupt_data'), `the flip at ${at}: ${error}`);
      refused += 1;
    }
  }
  assert.ok(refused > FLIPS / 4, `${refused} refused`);
});

test('a mark that is none, or of another format, is as good as no mark', async (t) => {
  const { root, store, closed } = await closedFolder(t, COVERS);
  damageEmbedding(store, COVERS[3] as (typeof COVERS)[number]);
  const mark = markOf(store);
  for (const text of ['', '{"format":', 'null', '[]', JSON.stringify({ ...mark, format: 2 }), '{"format":1}']) {
    writeFileSync(closed, text);
    await assert.rejects(openSample(root), (error) => isFailure(error, 'corrupt_data'), text);
    assert.ok(!existsSync(closed), text);
  }
});

test('damage from before the end is found by whoever reads it, and then by the next start', async (t) => {
  const paths = await closedFolder(t, COVERS);
  const cover = COVERS[3] as (typeof COVERS)[number];
  damageEmbedding(paths.store, cover);
  fitMark(paths);
  const index = await openSample(paths.root);
  assert.equal(index.get('cover-4')?.id, 'cover-4');
  const candidates = { embedding: QUERY, k: 1, candidates: [cover.id] };
  await assert.rejects(index.recall(candidates, never()), (error) => isFailure(error, 'corrupt_data'));
  await index.close();
  assert.ok(!existsSync(paths.closed), 'an end after damage was seen is no orderly one');
  await assert.rejects(openSample(paths.root), (error) => isFailure(error, 'corrupt_data'));
});

test('a file of large values is known by length, time and transaction; its pages are walked all the same', async (t) => {
  const paths = dataDirPaths(temporaryFolder(t));
  const index = await openSample(paths.root);
  const thumbnail = { contentType: 'image/webp', bytes: new Uint8Array(100_000) };
  const writes = COVERS.map((cover) => {
    const features = { embedding: cover.embedding, tokens: undefined, ocrPresence: 0.5 };
    return upsert(cover, { content: { features, imageHash: 'f00d', thumbnail } });
  });
  await index.write(writes).searchable;
  await index.close();
  const mark = readMark(paths.closed);
  assert.deepEqual(mark, { ...markOf(paths.store), crc32: null });

  // What a disk does by itself leaves a file's time as it was.
  const { atime, mtime } = statSync(paths.store);
  const cover = COVERS[3] as (typeof COVERS)[number];
  const whole = readFileSync(paths.store);
  damageEmbedding(paths.store, cover);
  const damaged = readFileSync(paths.store);
  utimesSync(paths.store, atime, mtime);
  writeFileSync(paths.closed, JSON.stringify({ ...mark, modifiedMs: statSync(paths.store).mtimeMs }));
  const opened = await openSample(paths.root);
  const candidates = { embedding: QUERY, k: 1, candidates: [cover.id] };
  await assert.rejects(opened.recall(candidates, never()), (error) => isFailure(error, 'corrupt_data'));
  await opened.close();

  // Another time: every record is read.
  writeFileSync(paths.closed, JSON.stringify({ ...mark, modifiedMs: mark.modifiedMs + 1_000 }));
  await assert.rejects(openSample(paths.root), (error) => isFailure(error, 'corrupt_data'));

  // The same time, and a page that is not where it belongs.
  writeFileSync(paths.store, whole);
  const page = whole.indexOf(Buffer.from('"attributes"')) & ~0xfff;
  damaged.writeUInt8(damaged.readUInt8(page) ^ 1, page);
  writeFileSync(paths.store, damaged);
  utimesSync(paths.store, atime, mtime);
  writeFileSync(paths.closed, JSON.stringify({ ...mark, modifiedMs: statSync(paths.store).mtimeMs }));
  await assert.rejects(
    openSample(paths.root),
    (error) => isFailure(error, 'corrupt_data') && /cannot be opened: a page/.test(`${error}`),
  );
});

test('verify reads every record, whatever the mark says', async (t) => {
  const paths = await closedFolder(t, COVERS);
  damageEmbedding(paths.store, COVERS[3] as (typeof COVERS)[number]);
  fitMark(paths);
  const { problems } = await verifyDataDir(paths.root);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /cover-3/);
});
