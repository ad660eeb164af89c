import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  Defect,
  demand,
  type Expected,
  HEADER_BYTES,
  type Meta,
  type Node,
  parseBranch,
  parseFreePages,
  parseLeaf,
  parseMeta,
  parseOverflowHeader,
  type Tree,
  type Value,
} from './page.ts';

/** Milliseconds of work between two turns of the event loop. */
const SLICE_MS = 10;
/** The most that a meta page may have. */
const META_READ_BYTES = 512;
/** Values of so few pages are read together with what lies behind them. */
const SMALL_VALUE_PAGES = 2;
const WINDOW_PAGES = 64;

/** A page of a tree with the keys between which those in it must lie. */
interface Place {
  readonly page: number;
  readonly from: Buffer | undefined;
  readonly below: Buffer | undefined;
}

type Visit = (node: Node<Value>) => void;

/**
 * Why LMDB must not be given the file at `path`; undefined when it may, or when there is none. Walks all trees of the
 * newest commit: every page must be what its parent says, once, with its keys in order, all counts must be right, and
 * no page may be free and in use. What the values say is for their owner to check. Reads about as much as the trees
 * take without the values on pages of their own.
 */
export async function lmdbDefect(path: string): Promise<string | undefined> {
  // An empty file is what a crash leaves that came before the first write.
  if (!existsSync(path)) return undefined;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    if (size > 0) await checkPages(file, size);
    return undefined;
  } catch (error) {
    if (error instanceof Defect) return error.message;
    throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * The newest transaction in the file at `path`, which `lmdbDefect` or a checksum found whole: while it stays the same,
 * nothing was committed.
 */
export function lmdbTransaction(path: string): number {
  const file = openSync(path, 'r');
  try {
    return newestMeta(file).transaction;
  } finally {
    closeSync(file);
  }
}

async function checkPages(file: number, size: number): Promise<void> {
  const meta = newestMeta(file);
  const { pageSize } = meta;
  demand(meta.lastPage < 2 ** 32, 'a meta page is damaged');
  demand(meta.main.root !== undefined || size <= 2 * pageSize, 'a meta page is damaged');
  const taken = new Uint8Array(meta.lastPage + 1);
  let sliceEnd = performance.now() + SLICE_MS;

  const expected = (number: number): Expected => ({ number, newest: meta.transaction });

  /** Takes `count` pages from `page` on, which nothing else may have. */
  function take(page: number, count: number): void {
    demand(page >= 2 && count >= 1 && page + count <= taken.length, 'a page lies outside of it');
    demand(!taken.subarray(page, page + count).includes(1), 'a page has two uses');
    taken.fill(1, page, page + count);
  }

  function read(page: number, bytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    demand(readSync(file, buffer, 0, bytes, page * pageSize) === bytes, 'it is cut off');
    return buffer;
  }

  async function readInUse(page: number): Promise<Buffer> {
    take(page, 1);
    if (performance.now() > sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
    return read(page, pageSize);
  }

  /** Level by level, each in the order of the file, so that a disk is read from its beginning to its end. */
  async function walk(tree: Tree, visit: Visit): Promise<void> {
    const { root, depth } = tree;
    demand((root === undefined) === (depth === 0), "a tree's record is damaged");
    let level: Place[] = root === undefined ? [] : [{ page: root, from: undefined, below: undefined }];
    let branchPages = 0;
    for (let height = depth; height > 1; height--) {
      branchPages += level.length;
      const children: Place[] = [];
      for (const place of level)
        children.push(...childrenOf(place, parseBranch(await readInUse(place.page), expected(place.page)), tree));
      level = children.sort((a, b) => a.page - b.page);
    }
    const overflows: { page: number; pages: number; bytes: number }[] = [];
    let entries = 0;
    for (const place of level) {
      const nodes = parseLeaf(await readInUse(place.page), expected(place.page));
      demandOrder(place, nodes, tree);
      entries += nodes.length;
      for (const node of nodes) {
        if (node.value.kind === 'overflow') overflows.push(node.value);
        visit(node);
      }
    }
    const overflowPages = checkOverflows(overflows);
    const counted = { branchPages, leafPages: level.length, overflowPages, entries };
    for (const [what, count] of Object.entries(counted)) {
      demand(tree[what as keyof typeof counted] === count, 'a tree is not as large as it says');
    }
  }

  function checkOverflows(overflows: { page: number; pages: number; bytes: number }[]): number {
    const headerOf = createHeaderReader(file, pageSize);
    let sum = 0;
    for (const { page, pages, bytes } of overflows.sort((a, b) => a.page - b.page)) {
      demand(pages === Math.ceil((HEADER_BYTES + bytes) / pageSize), 'a value is not as long as its pages');
      take(page, pages);
      demand((page + pages) * pageSize <= size, 'it is cut off');
      const header = headerOf(page, pages);
      demand(header.length === HEADER_BYTES, 'it is cut off');
      demand(parseOverflowHeader(header, expected(page)) === pages, 'a value is not as long as its pages');
      sum += pages;
    }
    return sum;
  }

  const subtrees: Tree[] = [];
  await walk(meta.main, ({ value }) => {
    if (value.kind === 'subtree') subtrees.push(value.tree);
  });
  for (const tree of subtrees) await walk(tree, ({ value }) => demand(value.kind !== 'subtree', 'a page is damaged'));
  const freeRecords: Buffer[] = [];
  await walk(meta.free, ({ value }) => {
    demand(value.kind !== 'subtree', 'the list of free pages is damaged');
    if (value.kind === 'inline') freeRecords.push(value.bytes);
    else freeRecords.push(read(value.page, value.pages * pageSize).subarray(HEADER_BYTES, HEADER_BYTES + value.bytes));
  });
  for (const record of freeRecords) for (const { page, pages } of parseFreePages(record)) take(page, pages);
}

/**
 * Reads the headers of values on pages of their own, which come in the order of the file; short where it ends. Of values
 * of a page or two, such as embeddings, many lie side by side: they are read together, or a store of a million would
 * take a million reads.
 */
function createHeaderReader(file: number, pageSize: number): (page: number, pages: number) => Buffer {
  const window = Buffer.allocUnsafe(WINDOW_PAGES * pageSize);
  let start = 0;
  let end = 0;
  return (page, pages) => {
    const at = page * pageSize;
    if (at < start || at + HEADER_BYTES > end) {
      const wanted = pages <= SMALL_VALUE_PAGES ? window.length : HEADER_BYTES;
      start = at;
      end = at + readSync(file, window, 0, wanted, at);
    }
    return window.subarray(at - start, Math.min(at - start + HEADER_BYTES, end - start));
  };
}

/** LMDB keeps the last two commits; a bit flipped in one must not make the other pass for the newest. */
function newestMeta(file: number): Meta {
  const read = (at: number): Buffer => {
    const buffer = Buffer.alloc(META_READ_BYTES);
    return buffer.subarray(0, readSync(file, buffer, 0, META_READ_BYTES, at));
  };
  const first = parseMeta(read(0), 0);
  const second = parseMeta(read(first.pageSize), 1);
  const newest = second.transaction > first.transaction ? second : first;
  const before = newest === second ? first : second;
  // A copy that was compacted has one commit only.
  const follows = before.transaction === 0 || newest.transaction - before.transaction <= 1;
  demand(first.pageSize === second.pageSize && follows, 'a meta page is damaged');
  return newest;
}

function childrenOf(place: Place, nodes: readonly Node<number>[], tree: Tree): Place[] {
  demandOrder(place, nodes.slice(1), tree);
  return nodes.map(({ value: page, key }, i) => ({
    page,
    from: i === 0 ? place.from : key,
    below: nodes[i + 1]?.key ?? place.below,
  }));
}

function demandOrder({ from, below }: Place, nodes: readonly Node<unknown>[], tree: Tree): void {
  const compare = tree.integerKeys ? compareIntegers : Buffer.compare;
  for (const [i, { key }] of nodes.entries()) {
    const before = nodes[i - 1]?.key;
    const inOrder = before === undefined ? from === undefined || compare(from, key) <= 0 : compare(before, key) < 0;
    demand(inOrder && (below === undefined || compare(key, below) < 0), 'keys are out of order');
  }
}

function compareIntegers(a: Buffer, b: Buffer): number {
  demand(a.length === b.length && (a.length === 4 || a.length === 8), 'a page is damaged');
  const difference =
    a.length === 4 ? a.readUInt32LE(0) - b.readUInt32LE(0) : Number(a.readBigUInt64LE(0) - b.readBigUInt64LE(0));
  return difference;
}
