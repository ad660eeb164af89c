import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { move, withStaging } from '../../src/convert/staging.ts';
import { isFailure } from '../../src/core/errors.ts';
import { mountSmallDisk } from '../faults/small-disk.ts';
import { temporaryFolder } from './golden-model.ts';

const unfit = (words: RegExp) => (error: unknown) => isFailure(error, 'invalid_config') && words.test(error.message);

test('what was staged is gone at the end, whatever became of it', async (t) => {
  const parent = join(await temporaryFolder(t), 'made/on/the/way');
  const name = await withStaging(parent, 'thing', async (staging) => {
    await writeFile(join(staging, 'half'), 'done');
    return (await readdir(parent)).join();
  });
  assert.match(name, /^\.thing-\w{6}$/);
  assert.deepEqual(await readdir(parent), []);
  await assert.rejects(
    withStaging(parent, 'thing', () => Promise.reject(new Error('no'))),
    /^Error: no$/,
  );
  assert.deepEqual(await readdir(parent), []);
});

test('a place on another file system, or on one that is read-only, is told as a wrong choice', async (t) => {
  const folder = join(await temporaryFolder(t), 'from');
  await mkdir(folder);
  const disk = mountSmallDisk(t, 1024 * 1024);
  if (disk === undefined) return;
  t.after(() => disk.unmount());
  await assert.rejects(move(folder, join(disk.folder, 'to')), unfit(/\/to cannot be written: .*another file system/));
  disk.makeReadOnly();
  await assert.rejects(
    withStaging(disk.folder, 'thing', async () => {}),
    unfit(/read-only \(EROFS\)/),
  );
});
