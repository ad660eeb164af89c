import { existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { failure } from '../core/errors.ts';
import type { DataDirPaths } from './data-dir.ts';
import { isUnwritable } from './disk-failure.ts';
import { reached } from './durable-steps.ts';
import { checksumOf, sync, writeDurably } from './graph-snapshot.ts';
import { lmdbTransaction } from './lmdb/check-lmdb.ts';

/**
 * What an orderly end leaves beside the store's file: its length and checksum. LMDB wrote every one of these bytes, or an
 * earlier start checked them; a start that finds them all as they were need not look into each page and each record.
 */
const FORMAT = 1;

interface ClosedMark {
  readonly format: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** The store's file as it was found: what it was then, and LMDB's newest transaction in it. */
export interface FoundAsLeft {
  readonly mark: ClosedMark;
  readonly transaction: number;
}

/**
 * Whether the store's file is, byte for byte, what the last orderly end left; undefined when it is not, or when there
 * was none. The mark is gone afterwards, durably: however this life ends, only an orderly end leaves another one, so that
 * a file that ends the process is checked by the next start. The folder must be locked. Fails with `invalid_config` when
 * it cannot be written to.
 */
export async function takeClosedMark({ root, store, closed }: DataDirPaths): Promise<FoundAsLeft | undefined> {
  if (!existsSync(closed)) return undefined;
  const mark = await readMark(closed);
  const isAsLeft = mark !== undefined && (await fits(mark, store));
  try {
    await rm(closed);
    await sync(root);
  } catch (cause) {
    if (!isUnwritable(cause)) throw cause;
    throw failure('invalid_config', `The data folder ${root} cannot be written to.`, { cause });
  }
  reached('closed mark taken');
  return isAsLeft ? { mark, transaction: lmdbTransaction(store) } : undefined;
}

/**
 * Says of the store's file, which nothing has open any more, that its life ended in order. Every byte of it is read,
 * unless it was `found` as an earlier end left it and nothing was written since.
 */
export async function leaveClosedMark({ store, closed }: DataDirPaths, found: FoundAsLeft | undefined): Promise<void> {
  const isUnchanged = found !== undefined && lmdbTransaction(store) === found.transaction;
  const mark: ClosedMark = isUnchanged ? found.mark : { format: FORMAT, ...(await checksumOf(store)) };
  await writeDurably(closed, JSON.stringify(mark));
  reached('closed mark left');
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

async function fits({ bytes, crc32 }: ClosedMark, store: string): Promise<boolean> {
  if (!existsSync(store) || (await stat(store)).size !== bytes) return false;
  return (await checksumOf(store)).crc32 === crc32;
}
