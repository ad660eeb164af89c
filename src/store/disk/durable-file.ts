import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a small file so that after a crash it is whole, old or new. */
export async function writeDurably(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await sync(`${path}.tmp`);
  await rename(`${path}.tmp`, path);
  await sync(dirname(path));
}

/** fsync of a file or a folder. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
