import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { failure } from '../../core/errors.ts';
import type { PictureSource } from './picture-source.ts';

const PICTURE = /\.(jpe?g|png|webp)$/i;

/**
 * Pictures of a folder and of those inside it. A cover is found by its path in the folder or by its file's name, each
 * with its ending, with another picture's, or without. Fails with `invalid_request` when there is no such folder.
 */
export async function openPictureFolder(folder: string): Promise<PictureSource> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw failure('invalid_request', `There is no folder ${folder}.`, { cause });
  });
  const files = entries
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const byName = new Map<string, string>();
  const covers: string[] = [];
  for (const file of files) {
    const path = relative(folder, file).replaceAll(sep, '/');
    const id = path.slice(0, -extname(path).length);
    covers.push(id);
    for (const name of [path, id, path.split('/').at(-1) ?? '', id.split('/').at(-1) ?? '']) {
      if (!byName.has(name)) byName.set(name, file);
    }
  }
  return {
    name: `folder ${folder}`,
    covers,
    async read(cover) {
      const name = cover.split('/').at(-1) ?? '';
      const file = byName.get(cover) ?? byName.get(name) ?? byName.get(name.replace(PICTURE, ''));
      if (file === undefined) throw failure('not_found', 'The folder holds no picture of this name.');
      return readFile(file);
    },
  };
}
