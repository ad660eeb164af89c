import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** A disk with less room than this counts as full when a write fails: LMDB then reports a bare input/output error. */
const NEARLY_FULL_BYTES = 16 * 1024 * 1024;
/** ENOSPC, EFBIG, EDQUOT and LMDB's MDB_MAP_FULL. */
const FULL_CODES: ReadonlySet<unknown> = new Set([28, 27, 122, -30792]);
const INPUT_OUTPUT_ERROR = 5;

/** Whether a write to the file at `path` failed because there is no room for it. */
export function isDiskFull(path: string, error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  if (FULL_CODES.has(code)) return true;
  if (code !== INPUT_OUTPUT_ERROR) return false;
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < NEARLY_FULL_BYTES;
}
