/**
 * The pages of an LMDB file in the version that lmdb-js builds (liblmdb/mdb.c: MDB_page_header, MDB_node, MDB_db,
 * MDB_meta, MDB_ovpage), all little-endian, on a machine of 64 bits. Everything here throws a `Defect` over bytes that
 * LMDB could not have written: LMDB itself trusts them, and ends the process or reads somewhere else.
 */
export class Defect extends Error {}

export function demand(holds: boolean, defect: string): asserts holds {
  if (!holds) throw new Defect(defect);
}

/**
 * `pgno, txnid, pad, flags, lower | pages, upper`; offsets within a page count from its end. A page of a later transaction
 * than the newest would pass for one that is being written.
 */
export const HEADER_BYTES = 24;
const PAGE_KIND = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;
const NODE_HEADER_BYTES = 8;
const NODE_FLAG = { overflow: 0x01, subtree: 0x02 } as const;
const TREE_BYTES = 48;
const OVERFLOW_REFERENCE_BYTES = 24;

const MAGIC = 0xbeef_c0de;
const DATA_VERSION = 2;
const META_BYTES = 136;
/** The root of a tree that holds nothing. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
/** Keys are integers in the machine's order. */
const INTEGER_KEYS = 0x08;

/** A tree's record: what it says of itself can be counted. */
export interface Tree {
  readonly integerKeys: boolean;
  readonly depth: number;
  readonly branchPages: number;
  readonly leafPages: number;
  readonly overflowPages: number;
  readonly entries: number;
  /** Undefined for an empty tree. */
  readonly root: number | undefined;
}

export interface Meta {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: Tree;
  readonly main: Tree;
}

/** `bytes` are the first of meta page `index`. */
export function parseMeta(bytes: Buffer, index: number): Meta {
  demand(bytes.length >= HEADER_BYTES + META_BYTES, 'it is cut off');
  const at = HEADER_BYTES;
  demand(bytes.readUInt32LE(at) === MAGIC, index === 0 ? 'it is no LMDB file' : 'a meta page is damaged');
  const version = bytes.readUInt32LE(at + 4) & 0xffff;
  const pageSize = bytes.readUInt32LE(at + 24);
  const transaction = pageNumber(bytes, at + 128);
  demand(bytes.readUInt16LE(18) === PAGE_KIND.meta && pageNumber(bytes, 0) === index, 'a meta page is damaged');
  demand(version === DATA_VERSION, `its format is ${version}, and ${DATA_VERSION} is read`);
  demand(pageSize >= 512 && pageSize <= 65_536 && Number.isInteger(Math.log2(pageSize)), 'a meta page is damaged');
  // Commits go to the two in turn. The mapping's address is for fixed ones, which are not used.
  demand(transaction === 0 || transaction % 2 === index, 'a meta page is damaged');
  demand(bytes.readBigUInt64LE(at + 8) === 0n, 'a meta page is damaged');
  const free = parseTree(bytes.subarray(at + 24, at + 72), true);
  const main = parseTree(bytes.subarray(at + 72, at + 120), false);
  return { pageSize, transaction, lastPage: pageNumber(bytes, at + 120), free, main };
}

/** `isFree`: of the list of free pages, whose flags belong to the whole file. */
function parseTree(bytes: Buffer, isFree: boolean): Tree {
  demand(bytes.length === TREE_BYTES, "a tree's record is damaged");
  const flags = bytes.readUInt16LE(4);
  demand(isFree ? (flags & INTEGER_KEYS) !== 0 : (flags & ~INTEGER_KEYS) === 0, "a tree's record is damaged");
  return {
    integerKeys: (flags & INTEGER_KEYS) !== 0,
    depth: bytes.readUInt16LE(6),
    branchPages: pageNumber(bytes, 8),
    leafPages: pageNumber(bytes, 16),
    overflowPages: pageNumber(bytes, 24),
    entries: pageNumber(bytes, 32),
    root: bytes.readBigUInt64LE(40) === NO_PAGE ? undefined : pageNumber(bytes, 40),
  };
}

/** What a leaf holds under one key. */
export type Value =
  | { readonly kind: 'inline'; readonly bytes: Buffer }
  | { readonly kind: 'overflow'; readonly page: number; readonly pages: number; readonly bytes: number }
  | { readonly kind: 'subtree'; readonly tree: Tree };

export interface Node<V> {
  readonly key: Buffer;
  readonly value: V;
}

/** Which page it must be, and of the newest transaction or an older one. */
export interface Expected {
  readonly number: number;
  readonly newest: number;
}

/** Keys and children; LMDB leaves the first key unused. */
export function parseBranch(page: Buffer, expected: Expected): Node<number>[] {
  const nodes = parseNodes(page, expected, PAGE_KIND.branch, (node) => {
    const low = node.readUInt32LE(0);
    return { bytes: 0, value: low + node.readUInt16LE(4) * 2 ** 32 };
  });
  demand(nodes.length > 0, 'a page is damaged');
  return nodes;
}

export function parseLeaf(page: Buffer, expected: Expected): Node<Value>[] {
  return parseNodes<Value>(page, expected, PAGE_KIND.leaf, (node, keyBytes) => {
    const bytes = node.readUInt32LE(0);
    const flags = node.readUInt16LE(4);
    const at = NODE_HEADER_BYTES + keyBytes;
    if (flags === NODE_FLAG.overflow) {
      demand(at + OVERFLOW_REFERENCE_BYTES <= node.length, 'a page is damaged');
      const reference = { page: pageNumber(node, at), pages: pageNumber(node, at + 16) };
      demand(pageNumber(node, at + 8) <= expected.newest, 'a page is damaged');
      return { bytes: OVERFLOW_REFERENCE_BYTES, value: { kind: 'overflow', bytes, ...reference } };
    }
    demand(at + bytes <= node.length, 'a page is damaged');
    const inline = node.subarray(at, at + bytes);
    if (flags === NODE_FLAG.subtree) return { bytes, value: { kind: 'subtree', tree: parseTree(inline, false) } };
    demand(flags === 0, 'a page is damaged');
    return { bytes, value: { kind: 'inline', bytes: inline } };
  });
}

/** The nodes fill the page from `upper` to its end, without a gap and in any order. */
function parseNodes<V>(
  page: Buffer,
  expected: Expected,
  kind: number,
  parseValue: (node: Buffer, keyBytes: number) => { readonly bytes: number; readonly value: V },
): Node<V>[] {
  demandHeader(page, expected, kind);
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  const room = page.length - HEADER_BYTES;
  demand(lower % 2 === 0 && lower <= upper && upper <= room, 'a page is damaged');
  const nodes: Node<V>[] = [];
  let filled = 0;
  for (let place = 0; place < lower; place += 2) {
    const offset = page.readUInt16LE(HEADER_BYTES + place);
    demand(offset % 2 === 0 && offset >= upper && offset + NODE_HEADER_BYTES <= room, 'a page is damaged');
    const node = page.subarray(HEADER_BYTES + offset);
    const keyBytes = node.readUInt16LE(6);
    demand(NODE_HEADER_BYTES + keyBytes <= node.length, 'a page is damaged');
    const { bytes, value } = parseValue(node, keyBytes);
    nodes.push({ key: node.subarray(NODE_HEADER_BYTES, NODE_HEADER_BYTES + keyBytes), value });
    filled += 2 * Math.ceil((NODE_HEADER_BYTES + keyBytes + bytes) / 2);
  }
  demand(filled === room - upper, 'a page is damaged');
  return nodes;
}

/** Pages of the overflow run that begins with the page of this header. */
export function parseOverflowHeader(header: Buffer, expected: Expected): number {
  demandHeader(header, expected, PAGE_KIND.overflow);
  return header.readUInt32LE(20);
}

function demandHeader(header: Buffer, { number, newest }: Expected, kind: number): void {
  const isExpected = pageNumber(header, 0) === number && header.readUInt16LE(18) === kind;
  demand(isExpected && pageNumber(header, 8) <= newest, 'a page is damaged');
}

/**
 * Pages in a record of the list of free pages: a count, then that many numbers, where -n stands before the first of n
 * pages in a row and 0 is a place that was used up.
 */
export function* parseFreePages(record: Buffer): Iterable<{ readonly page: number; readonly pages: number }> {
  const defect = 'the list of free pages is damaged';
  demand(record.length >= 8 && record.length % 8 === 0, defect);
  const count = pageNumber(record, 0);
  demand(8 * (count + 1) <= record.length, defect);
  for (let i = 1; i <= count; i++) {
    const entry = Number(record.readBigInt64LE(8 * i));
    if (entry === 0) continue;
    if (entry > 0) {
      yield { page: entry, pages: 1 };
      continue;
    }
    i += 1;
    demand(i <= count, defect);
    yield { page: pageNumber(record, 8 * i), pages: -entry };
  }
}

/** A number that a double holds exactly, which every page and count of a real file is. */
function pageNumber(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32LE(at + 4);
  demand(high < 2 ** 21, 'a number in it is damaged');
  return bytes.readUInt32LE(at) + high * 2 ** 32;
}
