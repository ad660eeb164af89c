import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { lockDataDir } from '../../../src/store/data-dir/lock-data-dir.ts';
import { openSample, temporaryFolder } from '../sample-covers.ts';

const HOLD = [process.execPath, join(import.meta.dirname, 'hold-data-dir.js')];
const isBusy = (error: unknown): boolean => isFailure(error, 'data_dir_busy');

/** Has a child process take the folder, started by way of the command in `before`. */
async function holdInChild(t: TestContext, dataDir: string, before: readonly string[] = []): Promise<ChildProcess> {
  const [command = '', ...rest] = [...before, ...HOLD, dataDir];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

/** Whether this machine lets us make namespaces like a container's. */
function canUnshare(t: TestContext): boolean {
  const isAllowed = spawnSync('unshare', ['-r', '-m', '-n', 'true']).status === 0;
  if (!isAllowed) t.skip('needs unshare(1) and user namespaces');
  return isAllowed;
}

test('a folder that another process has open is refused until that process is gone, however it went', async (t) => {
  const dataDir = temporaryFolder(t);
  const child = await holdInChild(t, dataDir);
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

test('a folder is one folder by every path that leads to it, and free again after its release', (t) => {
  const folder = temporaryFolder(t);
  const real = join(folder, 'real');
  const alias = join(folder, 'alias');
  mkdirSync(real);
  symlinkSync(real, alias);
  const lock = lockDataDir(real);
  assert.throws(() => lockDataDir(alias), isBusy);
  lockDataDir(join(folder, 'other')).release();
  lock.release();
  lockDataDir(alias).release();
});

test('a folder that was renamed is still taken, and the one in its place is free', (t) => {
  const folder = temporaryFolder(t);
  const before = join(folder, 'before');
  const after = join(folder, 'after');
  const lock = lockDataDir(before);
  renameSync(before, after);
  assert.throws(() => lockDataDir(after), isBusy);
  lockDataDir(before).release();
  lock.release();
  lockDataDir(after).release();
});

test('a process in another network namespace is kept out as well', async (t) => {
  if (!canUnshare(t)) return;
  const dataDir = temporaryFolder(t);
  await holdInChild(t, dataDir, ['unshare', '-r', '-n']);
  assert.throws(() => lockDataDir(dataDir), isBusy);
});

test('another folder that is mounted at the same path elsewhere is another folder', async (t) => {
  if (!canUnshare(t)) return;
  const folder = temporaryFolder(t);
  const path = join(folder, 'data');
  const mounted = join(folder, 'mounted');
  mkdirSync(path);
  mkdirSync(mounted);
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  await holdInChild(t, path, ['unshare', '-r', '-m', 'sh', '-c', script, 'sh', mounted, path]);
  lockDataDir(path).release();
  assert.throws(() => lockDataDir(mounted), isBusy);
});
