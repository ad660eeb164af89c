import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { openCoverStore } from '../../src/store/cover-store.ts';
import { lockDataDir } from '../../src/store/data-dir.ts';
import { openSample, temporaryFolder } from './sample-covers.ts';

const BUNDLE = { name: 'demo', hash: 'a'.repeat(64) };

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

test('a store that was cut off, or is another file, is refused before it is mapped', async (t) => {
  const folder = temporaryFolder(t);
  const whole = join(folder, 'whole.lmdb');
  const store = openCoverStore(whole);
  // Rewriting the same page moves it, so that the newest tree begins behind the first pages.
  for (let run = 0; run < 8; run++) {
    store.transaction(() =>
      store.putAbout({ format: run, storeId: 'a', bundle: BUNDLE, embeddingDim: 4, tokens: null }),
    );
  }
  await store.close();
  await openCoverStore(whole).close();

  const cut = join(folder, 'cut.lmdb');
  for (const bytes of [10, 4096, 8192]) {
    copyFileSync(whole, cut);
    truncateSync(cut, bytes);
    assert.ok(bytes < statSync(whole).size);
    assert.throws(() => openCoverStore(cut), /cut off|no LMDB file/, `${bytes} bytes`);
  }
  writeFileSync(cut, 'PK'.repeat(1000));
  assert.throws(() => openCoverStore(cut), /no LMDB file/);
});
