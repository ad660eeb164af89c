import assert from 'node:assert/strict';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import type { CoverStore } from '../../../src/store/cover-store.ts';
import { commitBatches } from '../../../src/store/cover-writer.ts';
import { dataDirPaths, openStore } from '../../../src/store/data-dir/data-dir.ts';
import { lmdbDefect } from '../../../src/store/lmdb/check-lmdb.ts';
import {
  openForTest,
  openSample,
  randomNumbers,
  sampleCovers,
  TOKENS,
  temporaryFolder,
  upsert,
  writeAll,
} from '../sample-covers.ts';

const FLIPS = 120;
const PAGE = 4_096;
/** Both meta pages' headers, where LMDB looks first. */
const META_BYTES = 168;

/** A store with branches, pages of free space, and thumbnails that have pages of their own. */
async function makeStore(dataDir: string): Promise<string> {
  const index = await openSample(dataDir);
  const covers = sampleCovers(150);
  const tokens = { values: new Int8Array(TOKENS.count * TOKENS.width).fill(1), scales: new Float32Array(TOKENS.count) };
  for (const [i, cover] of covers.entries()) {
    const thumbnail = { contentType: 'image/webp', bytes: new Uint8Array(i % 10 === 0 ? 9_000 : 40).fill(i) };
    const features = { embedding: cover.embedding, tokens, ocrPresence: 0.5 };
    const write = upsert(cover, { content: { features, imageHash: 'f00d', thumbnail } });
    if (i % 10 === 0) await index.write([write]).durable;
    else void index.write([write]).durable;
  }
  await index.write(covers.slice(0, 25).map(({ id }) => ({ op: 'delete', id }))).searchable;
  await writeAll(index, covers.slice(30, 50));
  await index.close();
  return join(dataDir, 'covers.lmdb');
}

/** Everything that the store holds, as text. */
function readAll(store: CoverStore): string {
  const covers = [...store.allCovers()].map((cover) => [
    cover,
    store.labelOf(cover.id),
    store.idOf(cover.label),
    [...(store.embedding(cover.label) ?? [])],
    [...(store.tokens(cover.label) ?? [])],
    Buffer.from(store.thumbnail(cover.label)?.bytes ?? []).toString('base64'),
  ]);
  return JSON.stringify([store.about(), store.lastSequence(), store.counts(), store.logAfter(0, 1_000), covers]);
}

test('one flipped bit, wherever it is: told by name, or of no consequence; never a wrong answer, never a crash', async (t) => {
  const folder = temporaryFolder(t);
  const file = await makeStore(join(folder, 'whole'));
  assert.equal(await lmdbDefect(file), undefined);
  const bytes = readFileSync(file);
  const whole = await openStore(dataDirPaths(join(folder, 'whole')));
  const expected = readAll(whole);
  await whole.close();

  const random = randomNumbers(5);
  const damaged = dataDirPaths(join(folder, 'damaged'));
  const outcomes = { refused: 0, found: 0, harmless: 0 };
  for (let flip = 0; flip < FLIPS; flip++) {
    const at =
      flip % 4 === 0
        ? (flip % 8 === 0 ? 0 : PAGE) + Math.floor(random() * META_BYTES)
        : Math.floor(random() * bytes.length);
    const bit = 1 << Math.floor(random() * 8);
    rmSync(damaged.root, { recursive: true, force: true });
    mkdirSync(damaged.root);
    bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at);
    writeFileSync(damaged.store, bytes);
    bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at);
    const outcome = await open(at, bit);
    outcomes[outcome] += 1;
  }
  assert.ok(outcomes.refused > 5 && outcomes.found > 5, JSON.stringify(outcomes));

  async function open(at: number, bit: number): Promise<keyof typeof outcomes> {
    let store: CoverStore;
    try {
      store = await openStore(damaged);
    } catch (error) {
      assert.ok(isFailure(error, 'corrupt_data'), String(error));
      return 'refused';
    }
    try {
      const missed = `the flip of ${bit} at ${at}`;
      try {
        assert.equal(readAll(store), expected, missed);
      } catch (error) {
        assert.ok(isFailure(error, 'corrupt_data'), `${missed}: ${error}`);
        return 'found';
      }
      // Writing uses the list of free pages, which reading does not.
      const deletes = [...store.allCovers()].map(({ id }) => ({ op: 'delete', id }) as const);
      for (const batch of [deletes.slice(0, 60), deletes.slice(60)]) {
        const [result] = commitBatches(store, [batch]);
        assert.ok(result && 'results' in result, missed);
        store.refresh();
      }
      assert.equal(store.counts().embeddings, 0, missed);
      return 'harmless';
    } finally {
      await store.close();
    }
  }
});

test('a file that was cut off, wherever, or is another file, is told', async (t) => {
  const folder = temporaryFolder(t);
  const whole = await makeStore(join(folder, 'whole'));
  const cut = join(folder, 'cut.lmdb');
  const { size } = statSync(whole);
  for (let bytes = 1; bytes < size; bytes += bytes < 2 * PAGE ? 1_000 : 5 * PAGE) {
    copyFileSync(whole, cut);
    truncateSync(cut, bytes);
    assert.match((await lmdbDefect(cut)) ?? 'nothing', /cut off|damaged/, `${bytes} of ${size} bytes`);
  }
  writeFileSync(cut, 'PK'.repeat(1_000));
  assert.equal(await lmdbDefect(cut), 'it is no LMDB file');
  writeFileSync(cut, '');
  assert.equal(await lmdbDefect(cut), undefined, 'what a crash before the first write leaves');
  assert.equal(await lmdbDefect(join(folder, 'none.lmdb')), undefined);
});

test('what an index leaves at any moment of its life is whole', async (t) => {
  const folder = temporaryFolder(t);
  const index = await openForTest(t, join(folder, 'live'), { snapshotEveryWrites: 40 });
  const covers = sampleCovers(400);
  const copied = join(folder, 'copied.lmdb');
  for (let i = 0; i < covers.length; i += 20) {
    await writeAll(index, covers.slice(i, i + 20));
    await index.write(covers.slice(i / 2, i / 2 + 8).map(({ id }) => ({ op: 'delete', id }))).searchable;
    const { name } = await index.snapshot();
    // No commit is under way.
    cpSync(join(folder, 'live', 'covers.lmdb'), copied);
    assert.equal(await lmdbDefect(copied), undefined);
    assert.equal(await lmdbDefect(join(folder, 'live', 'snapshots', name, 'covers.lmdb')), undefined);
  }
});
