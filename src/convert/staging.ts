import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { failure } from '../core/errors.ts';

/**
 * Fills a folder as a whole or not at all: `fill` works in a hidden sibling, which takes the place of `out` at the end
 * and is removed when anything fails. Rejects with `invalid_config` when `out` holds something and `replace` is off.
 */
export async function fillFolder<T>(out: string, replace: boolean, fill: (folder: string) => Promise<T>): Promise<T> {
  const target = resolve(out);
  const parent = dirname(target);
  if (!replace) await assertFree(target);
  await mkdir(parent, { recursive: true });
  const staging = await mkdtemp(join(parent, `.${basename(target)}-`));
  try {
    const filled = join(staging, 'new');
    await mkdir(filled);
    const result = await fill(filled);
    // Between these two a crash leaves the old folder inside the sibling, complete.
    await rename(target, join(staging, 'old')).catch(ignoreMissing);
    await rename(filled, target);
    return result;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function assertFree(target: string): Promise<void> {
  const present = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw failure('invalid_config', `${target} cannot be written as a folder (${error.code}).`, { cause: error });
  });
  if (present.length > 0) {
    throw failure('invalid_config', `${target} is not empty. Name another folder, or replace it with --force.`);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
