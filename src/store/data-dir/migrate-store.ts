import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sync } from '../disk/durable-file.ts';
import { reached } from '../disk/durable-steps.ts';
import { demandRoom } from '../lmdb/disk-room.ts';
import { type LmdbFile, openLmdb, removeLock } from '../lmdb/open-lmdb.ts';
import { sealedByBytes, sealedByNumber } from '../lmdb/sealed-database.ts';
import { DATA_FORMAT, decodeAbout, encodeAbout } from './store-about.ts';

/** Records copied in one transaction. */
const CHUNK = 1_000;
const BY_NUMBER = ['labels', 'embeddings', 'tokens', 'thumbnails', 'log'] as const;
const ABOUT_KEY = Buffer.from('about');

/**
 * Brings a store of format 1, whose records have no checksums, to the present one. The new file takes the old one's
 * place when it is whole; until then nothing changes, so that a start that was killed can be made again. Needs room for
 * both.
 */
export async function migrateStore(path: string): Promise<void> {
  const from = openLmdb(path);
  const next = `${path}.next`;
  try {
    if (formatOf(from) !== 1) return;
    await rm(next, { force: true });
    demandRoom(path, { bytes: 2 * (await stat(path)).size, pages: 0 });
    const to = openLmdb(next);
    try {
      copyRecords(from, to);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await removeLock(next);
  await sync(next);
  reached('migration complete');
  await rename(next, path);
  await sync(dirname(path));
}

/** Undefined for a store that nothing was written to. */
function formatOf(file: LmdbFile): number | undefined {
  const about = file.openDB<Buffer, Buffer>({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' }).get(ABOUT_KEY);
  return about === undefined ? undefined : decodeAbout(about).format;
}

function copyRecords(from: LmdbFile, to: LmdbFile): void {
  for (const name of BY_NUMBER) {
    const source = from.openDB<Buffer, number>({ name, encoding: 'binary', keyEncoding: 'uint32' });
    const target = sealedByNumber(to, name);
    inChunks(to, source.getRange({}), ({ key, value }) => target.put(key, value));
  }
  const covers = from.openDB<Buffer, Buffer>({ name: 'covers', encoding: 'binary', keyEncoding: 'binary' });
  const target = sealedByBytes(to, 'covers');
  inChunks(to, covers.getRange({}), ({ key, value }) => target.put(key, value));
  copyMeta(from, to);
}

/** Last, since only a store that says what it is counts as one. */
function copyMeta(from: LmdbFile, to: LmdbFile): void {
  const options = { name: 'meta', encoding: 'binary', keyEncoding: 'binary' } as const;
  const source = from.openDB<Buffer, Buffer>(options);
  const about = to.openDB<Buffer, Buffer>(options);
  const sealed = sealedByBytes(to, 'meta');
  to.transactionSync(() => {
    for (const { key, value } of source.getRange({})) {
      if (key.equals(ABOUT_KEY)) about.put(key, encodeAbout({ ...decodeAbout(value), format: DATA_FORMAT }));
      else sealed.put(key, value);
    }
  });
}

function inChunks<T>(file: LmdbFile, records: Iterable<T>, write: (record: T) => void): void {
  let chunk: T[] = [];
  const flush = (): void => {
    file.transactionSync(() => {
      for (const record of chunk) write(record);
    });
    chunk = [];
  };
  for (const record of records) if (chunk.push(record) === CHUNK) flush();
  flush();
}
