import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure } from '../../core/errors.ts';

/**
 * LMDB must not meet a full disk: the text that lmdb-js makes of such an error is longer than the memory it has for it,
 * and the process ends some time later. So whoever writes asks for room first, for the worst that can come: every page
 * that a transaction changes is written anew somewhere else.
 */
export interface RoomNeeded {
  /** Of the values written. */
  readonly bytes: number;
  /** Pages of the trees that may change. */
  readonly pages: number;
}

const PAGE_BYTES = 4_096;
/** Branches above the changed leaves, and the list of free pages. */
const BASE_BYTES = 64 * PAGE_BYTES;
/** Kept for deletes, which make room again. */
const RESERVE_BYTES = 1024 * 1024;

/** Fails with `storage_full` unless the transaction finds room on the disk of the file at `path`. */
export function demandRoom(path: string, { bytes, pages }: RoomNeeded): void {
  if (roomOf(path) < bytesFor({ bytes, pages })) throw diskIsFull();
}

/** Like `demandRoom` for what makes the file grow; `freeInside` is what the file has to give by itself, in bytes. */
export function demandRoomToGrow(path: string, needed: RoomNeeded, freeInside: () => number): void {
  demandRoom(path, needed);
  const bytes = bytesFor(needed);
  if (roomOf(path) - RESERVE_BYTES < bytes && freeInside() < bytes) throw diskIsFull();
}

function bytesFor({ bytes, pages }: RoomNeeded): number {
  return BASE_BYTES + bytes + pages * PAGE_BYTES;
}

function roomOf(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}

function diskIsFull(): Error {
  return failure('storage_full', 'The disk is full: nothing of this batch was written.');
}
