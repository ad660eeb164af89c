import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * What must be known of a store's file before LMDB maps it: over a foreign file lmdb-js ends the process, and over one
 * that was cut off (a copy that broke off) the first read beyond its end is a bus error, or never returns. LMDB begins
 * a file with two meta pages; the one of the later transaction tells where the trees begin. (liblmdb/mdb.c, MDB_meta.)
 */
const MAGIC = 0xbeef_c0de;
/** Offsets within a meta page. */
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const FREE_ROOT_AT = 88;
const MAIN_ROOT_AT = 136;
const TRANSACTION_AT = 152;
const META_BYTES = 160;
/** The root of a tree that holds nothing. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

/** Throws when the file at `path` is there and is none that LMDB can read. */
export function demandLmdbFile(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    // An empty file is what a crash leaves that came before the first write.
    if (size === 0) return;
    const first = readMeta(file, 0);
    if (first === undefined) throw new Error('it is no LMDB file');
    const second = readMeta(file, first.pageSize);
    if (second === undefined) throw new Error('it is cut off');
    const newest = second.transaction > first.transaction ? second : first;
    const pages = BigInt(Math.floor(size / first.pageSize));
    if (newest.roots.some((page) => page !== NO_PAGE && page >= pages)) throw new Error('it is cut off');
  } finally {
    closeSync(file);
  }
}

interface Meta {
  readonly pageSize: number;
  readonly transaction: bigint;
  /** Page numbers. */
  readonly roots: readonly bigint[];
}

function readMeta(file: number, at: number): Meta | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(file, page, 0, META_BYTES, at) < META_BYTES || page.readUInt32LE(MAGIC_AT) !== MAGIC) return undefined;
  return {
    pageSize: page.readUInt32LE(PAGE_SIZE_AT),
    transaction: page.readBigUInt64LE(TRANSACTION_AT),
    roots: [page.readBigUInt64LE(FREE_ROOT_AT), page.readBigUInt64LE(MAIN_ROOT_AT)],
  };
}
