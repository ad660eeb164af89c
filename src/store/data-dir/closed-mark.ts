import { existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { failure } from '../../core/errors.ts';
import { isUnwritable } from '../disk/disk-failure.ts';
import { sync, writeDurably } from '../disk/durable-file.ts';
import { reached } from '../disk/durable-steps.ts';
import { checksumOf } from '../disk/file-sums.ts';
import { lmdbTransaction } from '../lmdb/check-lmdb.ts';
import type { DataDirPaths } from './data-dir.ts';

/**
 * What an orderly end leaves beside the store's file. LMDB wrote every one of its bytes, or an earlier start checked
 * them; what a start finds unchanged it need not look into.
 */
export interface ClosedMark {
  readonly format: number;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** LMDB's newest. */
  readonly transaction: number;
  /** Of all bytes: then the pages are known as well. Null for a file that is mostly image tokens and thumbnails. */
  readonly crc32: number | null;
}

/** Whether LMDB may be given the file without a look at its pages. */
export function pagesAreKnown(mark: ClosedMark | undefined): boolean {
  return mark !== undefined && mark.crc32 !== null;
}

const FORMAT = 1;
/**
 * A cover with its embedding takes 4 to 6 kB. Where there are many more, reading all of them would take longer than
 * walking the pages, which passes over large values.
 */
const SUMMED_BYTES_PER_COVER = 12 * 1024;
const SUMMED_BYTES = 1024 * 1024;

/**
 * The mark of the last orderly end when the store's file is as that end left it: byte for byte where it was summed up, by
 * length, time and transaction where not. Undefined when it is not, or when there was no such end. The mark is gone
 * afterwards, durably: however this life ends, only an orderly end leaves another one, so that a file that ends the
 * process is checked by the next start. The folder must be locked. Fails with `invalid_config` when it cannot be written
 * to.
 */
export async function takeClosedMark(paths: DataDirPaths): Promise<ClosedMark | undefined> {
  const { root, closed } = paths;
  if (!existsSync(closed)) return undefined;
  const mark = await findClosedMark(paths);
  try {
    await rm(closed);
    await sync(root);
  } catch (cause) {
    if (!isUnwritable(cause)) throw cause;
    throw failure('invalid_config', `The data folder ${root} cannot be written to.`, { cause });
  }
  reached('closed mark taken');
  return mark;
}

/** The same, for who only looks: the mark stays. */
export async function findClosedMark({ store, closed }: DataDirPaths): Promise<ClosedMark | undefined> {
  const mark = await readMark(closed);
  return mark !== undefined && (await fits(mark, store)) ? mark : undefined;
}

/**
 * Says of the store's file, which nothing has open any more, that its life ended in order. The bytes of one that holds
 * little but its `covers` are read, unless it was `found` as an earlier end left it and nothing was written since.
 */
export async function leaveClosedMark(
  { store, closed }: DataDirPaths,
  covers: number,
  found: ClosedMark | undefined,
): Promise<void> {
  const transaction = lmdbTransaction(store);
  const mark = found?.transaction === transaction ? found : await markOf(store, covers, transaction);
  await writeDurably(closed, JSON.stringify(mark));
  reached('closed mark left');
}

/** Leaves the mark that a start `found` and that nothing made untrue. The store's file must not be open any more. */
export async function putBackClosedMark({ store, closed }: DataDirPaths, found: ClosedMark | undefined): Promise<void> {
  if (found === undefined || transactionOf(store) !== found.transaction) return;
  await writeDurably(closed, JSON.stringify(found));
  reached('closed mark left');
}

async function markOf(store: string, covers: number, transaction: number): Promise<ClosedMark> {
  const { size: bytes, mtimeMs: modifiedMs } = await stat(store);
  const isSummed = bytes <= SUMMED_BYTES + SUMMED_BYTES_PER_COVER * covers;
  const crc32 = isSummed ? (await checksumOf(store)).crc32 : null;
  return { format: FORMAT, bytes, modifiedMs, transaction, crc32 };
}

/** Of another format, or none at all: not a mark. */
async function readMark(path: string): Promise<ClosedMark | undefined> {
  try {
    const mark = JSON.parse(await readFile(path, 'utf8')) as ClosedMark | null;
    return mark?.format === FORMAT ? mark : undefined;
  } catch {
    return undefined;
  }
}

async function fits({ bytes, modifiedMs, transaction, crc32 }: ClosedMark, store: string): Promise<boolean> {
  if (!existsSync(store)) return false;
  const { size, mtimeMs } = await stat(store);
  if (size !== bytes) return false;
  if (crc32 !== null) return (await checksumOf(store)).crc32 === crc32;
  return mtimeMs === modifiedMs && transactionOf(store) === transaction;
}

/** Undefined for a file whose first pages are damaged, which the walk tells by name. */
function transactionOf(store: string): number | undefined {
  try {
    return lmdbTransaction(store);
  } catch {
    return undefined;
  }
}
