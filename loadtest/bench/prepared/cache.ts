import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** What takes long to make and is the same every time lies here between runs. */
export const DEFAULT_CACHE = join(tmpdir(), 'coverrank-bench');

/**
 * The file or folder at `path`, made by `make` when it is not there. `make` gets another path to fill, so that a run
 * that was broken off leaves nothing that looks whole.
 */
export async function preparedOnce(path: string, make: (path: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(dirname(path), { recursive: true });
  await make(unfinished);
  await rename(unfinished, path);
  return path;
}
