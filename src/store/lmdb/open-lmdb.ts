import { rm } from 'node:fs/promises';
import { open, type RootDatabase } from 'lmdb';

/**
 * LMDB as the data folder uses it: one file and its lock file, values as bytes, every transaction fsynced before it
 * returns. All that opens the same file in one process, whatever the thread, shares one environment.
 */
export type LmdbFile = RootDatabase<Buffer, Buffer>;

/** Databases that one file may hold. */
const MAX_DATABASES = 16;

/** Opens the file at `path`, making it when it is not there. What it holds must have been checked before. */
export function openLmdb(path: string): LmdbFile {
  // With overlappingSync a commit would be visible before it is on disk.
  return open({ path, noSubdir: true, overlappingSync: false, encoding: 'binary', maxDbs: MAX_DATABASES });
}

/** Writes a consistent, compacted copy of the file at `path` to `target` while whoever has it open goes on writing. */
export async function copyLmdbFile(path: string, target: string): Promise<void> {
  const file = openLmdb(path);
  try {
    await file.backup(target, true);
  } finally {
    await file.close();
  }
}

/** Removes the lock file that an opened copy leaves beside it. */
export async function removeLock(path: string): Promise<void> {
  await rm(`${path}-lock`, { force: true });
}
