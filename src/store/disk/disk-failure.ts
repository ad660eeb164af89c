import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** A disk with less room than this counts as full when a write fails: LMDB then reports a bare input/output error. */
const NEARLY_FULL_BYTES = 16 * 1024 * 1024;
/** From Node, from LMDB (numbers, of which the last is MDB_MAP_FULL), and of LMDB's copying only the text. */
const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EFBIG', 'EDQUOT', 28, 27, 122, -30792]);
const FULL_TEXT = /No space left on device|File too large|Disk quota exceeded/;
const INPUT_OUTPUT_ERROR = 5;
/** EPERM, EIO, EACCES, EROFS, and LMDB's MDB_PANIC: it failed to write where it must not fail. */
const UNWRITABLE_CODES: ReadonlySet<unknown> = new Set(['EPERM', 'EIO', 'EACCES', 'EROFS', 1, 5, 13, 30, -30795]);

/** Whether a write to the file at `path` failed because there is no room for it. */
export function isDiskFull(path: string, error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: string };
  if (FULL_CODES.has(code) || (code === undefined && FULL_TEXT.test(message ?? ''))) return true;
  if (code !== INPUT_OUTPUT_ERROR) return false;
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < NEARLY_FULL_BYTES;
}

/** Whether the disk or the folder does not take writes at all; an operator has to do something about it. */
export function isUnwritable(error: unknown): boolean {
  return UNWRITABLE_CODES.has((error as { code?: unknown }).code);
}
