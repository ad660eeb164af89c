import { crc32 } from 'node:zlib';
import { failure } from '../../core/errors.ts';
import type { LmdbFile } from './open-lmdb.ts';

/**
 * A database of an LMDB file in which behind each value stands its checksum, u32 little-endian: the CRC-32 of the
 * value, begun with its key. So a value whose bits changed, or that lies under another key than its own, is told from a
 * whole one: whatever reads it fails with `corrupt_data`. Writes belong inside a transaction of the file.
 */
export interface SealedDatabase<K extends Buffer | number> {
  readonly count: number;
  /** Pages that its tree takes. */
  readonly pages: number;
  get(key: K): Buffer | undefined;
  /** Like `get` without a copy: the next read of any database of the file overwrites it. */
  peek(key: K): Buffer | undefined;
  has(key: K): boolean;
  keys(range?: KeyRange<K>): Iterable<K>;
  entries(range?: KeyRange<K>): Iterable<{ readonly key: K; readonly value: Buffer }>;
  put(key: K, value: Uint8Array): void;
  remove(key: K): void;
}

export interface KeyRange<K> {
  readonly start?: K;
  /** Not part of it. */
  readonly end?: K;
  readonly limit?: number;
  /** From the last key to the first. */
  readonly reverse?: boolean;
}

const CHECKSUM_BYTES = 4;

/** `onDamage` is told before a read fails with `corrupt_data`. */
export function sealedByBytes(file: LmdbFile, name: string, onDamage?: () => void): SealedDatabase<Buffer> {
  return sealedDatabase<Buffer>(file, name, 'binary', onDamage);
}

export function sealedByNumber(file: LmdbFile, name: string, onDamage?: () => void): SealedDatabase<number> {
  return sealedDatabase<number>(file, name, 'uint32', onDamage);
}

function sealedDatabase<K extends Buffer | number>(
  file: LmdbFile,
  name: string,
  keyEncoding: 'binary' | 'uint32',
  onDamage = () => {},
): SealedDatabase<K> {
  const database = file.openDB<Buffer, K>({ name, encoding: 'binary', keyEncoding });
  let view: Buffer = Buffer.alloc(0);

  function unseal(sealed: Buffer, key: K): Buffer {
    const end = sealed.length - CHECKSUM_BYTES;
    // LMDB hands out the same memory again and again; making a view costs more than summing up one.
    if (view.buffer !== sealed.buffer || view.byteOffset !== sealed.byteOffset || view.length !== end) {
      if (end < 0) throw damaged();
      view = Buffer.from(sealed.buffer, sealed.byteOffset, end);
    }
    if (checksum(view, key) !== sealed.readUInt32LE(end)) throw damaged();
    return view;
  }

  function damaged(): Error {
    onDamage();
    return failure('corrupt_data', `A record of ${name} does not match its checksum.`);
  }

  return {
    get count() {
      return (database.getStats() as { entryCount: number }).entryCount;
    },
    get pages() {
      return pagesOf(database.getStats() as TreeStats);
    },
    get(key) {
      const sealed = database.getBinary(key);
      return sealed === undefined ? undefined : unseal(sealed, key);
    },
    peek(key) {
      const sealed = database.getBinaryFast(key);
      return sealed === undefined ? undefined : unseal(sealed, key);
    },
    has: (key) => database.doesExist(key),
    keys: (range = {}) => database.getKeys(range as object),
    *entries(range = {}) {
      for (const { key, value } of database.getRange({ ...(range as object), snapshot: true })) {
        yield { key, value: unseal(value, key) };
      }
    },
    put(key, value) {
      const sealed = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
      sealed.set(value);
      sealed.writeUInt32LE(checksum(value, key), value.length);
      database.put(key, sealed);
    },
    remove(key) {
      database.remove(key);
    },
  };
}

/** Of LMDB's own figures. */
export interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

export function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: TreeStats): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

function checksum(value: Uint8Array, key: Buffer | number): number {
  return crc32(value, typeof key === 'number' ? key : crc32(key));
}
