import { closeSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { failure } from '../../core/errors.ts';
import { isDiskFull, isUnwritable } from '../disk/disk-failure.ts';

/** Stays in the folder: what counts is not that it is there but who has it locked. */
export const LOCK_FILE = 'data.lock';

export interface DataDirLock {
  release(): void;
}

/**
 * Takes the folder (made when it is not there) for this process; fails with `data_dir_busy` when another has it, and
 * with `invalid_config` or `storage_full` when it cannot be written to. The system keeps the lock on the file itself: it
 * holds whatever path or container others come by, on other machines as far as their file system passes locks on, and
 * it is freed however the process ends.
 */
export function lockDataDir(dataDir: string): DataDirLock {
  for (;;) {
    const file = openLockFile(dataDir);
    let isHeld = false;
    try {
      takeLock(file, dataDir);
      isHeld = isStillIn(dataDir, file);
    } finally {
      if (!isHeld) closeSync(file);
    }
    if (isHeld) return { release: () => closeSync(file) };
  }
}

function openLockFile(dataDir: string): number {
  const path = join(dataDir, LOCK_FILE);
  try {
    mkdirSync(dataDir, { recursive: true });
    return openSync(path, 'a');
  } catch (cause) {
    if (isDiskFull(path, cause)) {
      throw failure('storage_full', `The disk has no room for the data folder ${dataDir}.`, { cause });
    }
    if (!isUnwritable(cause)) throw cause;
    throw failure('invalid_config', `The data folder ${dataDir} cannot be written to.`, { cause });
  }
}

function takeLock(file: number, dataDir: string): void {
  let isFree: boolean;
  try {
    isFree = tryLock(file);
  } catch (cause) {
    const advice = 'Use another --data-dir.';
    throw failure('invalid_config', `The file system of the data folder ${dataDir} has no locks. ${advice}`, { cause });
  }
  if (isFree) return;
  const advice = 'Stop it, or use another --data-dir.';
  throw failure('data_dir_busy', `Another process has the data folder ${dataDir} open. ${advice}`);
}

/** Whoever had it before may have removed or renamed the folder since the file was opened. */
function isStillIn(dataDir: string, file: number): boolean {
  const found = statSync(join(dataDir, LOCK_FILE), { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(file);
  return found?.dev === dev && found.ino === ino;
}
