import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { openCoverStore } from '../../src/store/cover-store.ts';
import { lockDataDir } from '../../src/store/data-dir.ts';
import { openSample, temporaryFolder } from './sample-covers.ts';

async function holdInChild(dataDir: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'hold-data-dir.js');
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

test('a folder that another process has open is refused until that process is gone, however it went', async (t) => {
  const dataDir = temporaryFolder(t);
  const child = await holdInChild(dataDir);
  t.after(() => child.kill('SIGKILL'));
  await assert.rejects(openSample(dataDir), (error) => {
    assert.ok(isFailure(error, 'data_dir_busy'));
    assert.ok(error.detail.includes(dataDir));
    return true;
  });
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await (await openSample(dataDir)).close();
});

test('a folder is one folder by every path that leads to it, and free again after its release', async (t) => {
  const folder = temporaryFolder(t);
  const real = join(folder, 'real');
  const alias = join(folder, 'alias');
  mkdirSync(real);
  symlinkSync(real, alias);
  const lock = await lockDataDir(real);
  await assert.rejects(lockDataDir(alias), (error) => isFailure(error, 'data_dir_busy'));
  await (await lockDataDir(join(folder, 'other'))).release();
  await lock.release();
  await (await lockDataDir(alias)).release();
});

test('a format that this version does not know is refused', async (t) => {
  const dataDir = temporaryFolder(t);
  await (await openSample(dataDir)).close();
  const store = openCoverStore(join(dataDir, 'covers.lmdb'));
  const about = store.about();
  assert.ok(about);
  store.transaction(() => store.putAbout({ ...about, format: 99 }));
  await store.close();
  await assert.rejects(openSample(dataDir), (error) => {
    assert.ok(isFailure(error, 'corrupt_data'));
    assert.match(error.detail, /format 99/);
    return true;
  });
});
