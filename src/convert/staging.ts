import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { failure } from '../core/errors.ts';

/**
 * Makes a bundle's folder as a whole or not at all: `fill` works in a hidden sibling, which takes the place of `out` at
 * the end and is removed when anything fails. With `replace`, an older bundle there goes, but files that are not its
 * own, such as a model card, stay. Rejects with `invalid_config` when `out` holds anything else.
 */
export async function fillBundleFolder<T>(
  out: string,
  replace: boolean,
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  const target = resolve(out);
  const kept = await namesToKeep(target, replace);
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  const staging = await mkdtemp(join(parent, `.${basename(target)}-`));
  try {
    const [filled, old] = [join(staging, 'new'), join(staging, 'old')];
    await mkdir(filled);
    const result = await fill(filled);
    await rename(target, old).catch(ignoreMissing);
    await rename(filled, target);
    for (const name of kept) await rename(join(old, name), join(target, name));
    return result;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function namesToKeep(target: string, replace: boolean): Promise<string[]> {
  const present = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw failure('invalid_config', `${target} cannot be written as a folder (${error.code}).`, { cause: error });
  });
  if (present.length === 0) return [];
  if (!replace) {
    throw failure('invalid_config', `${target} is not empty. Name another folder, or replace the bundle with --force.`);
  }
  const own = await filesOfBundle(target);
  return present.filter((name) => !own.has(name));
}

async function filesOfBundle(folder: string): Promise<ReadonlySet<string>> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, 'bundle.json'), 'utf8')) as { files: object };
    return new Set(['bundle.json', ...Object.keys(manifest.files)]);
  } catch (cause) {
    throw failure('invalid_config', `${folder} holds something that is no bundle; it is not replaced.`, { cause });
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
