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
  return withStaging(dirname(target), basename(target), async (staging) => {
    const [filled, old] = [join(staging, 'new'), join(staging, 'old')];
    await mkdir(filled);
    const result = await fill(filled);
    await move(target, old).catch(ignoreMissing);
    await move(filled, target);
    for (const name of kept) await move(join(old, name), join(target, name));
    return result;
  });
}

/**
 * Runs `work` in a hidden folder of `parent`, which is made when it is not there; whatever is left in the hidden folder at
 * the end goes with it. Rejects with `invalid_config` where nothing can be written.
 */
export async function withStaging<T>(parent: string, name: string, work: (staging: string) => Promise<T>): Promise<T> {
  const staging = await makeStaging(parent, name).catch((error: unknown) => {
    throw placeFailure(error, parent);
  });
  try {
    return await work(staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Renames. Rejects with `invalid_config` where `to` is no place for that. */
export async function move(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: unknown) => {
    throw placeFailure(error, to);
  });
}

export function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function makeStaging(parent: string, name: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  return mkdtemp(join(parent, `.${name}-`));
}

/** What the choice of a place is to blame for, and whoever chose it can mend. */
const UNFIT_PLACES: Readonly<Record<string, string>> = {
  EXDEV: 'it is on another file system than what was to be moved there',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
};

function placeFailure(error: unknown, place: string): unknown {
  const { code = '' } = error as NodeJS.ErrnoException;
  const why = UNFIT_PLACES[code];
  if (why === undefined) return error;
  return failure('invalid_config', `${place} cannot be written: ${why} (${code}). Name another place with --out.`, {
    cause: error,
  });
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
