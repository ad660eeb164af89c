import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import { inspectDataDir } from '../../../src/store/data-dir/inspect-data-dir.ts';
import { BUNDLE, openForTest, openSample, sampleCovers, temporaryFolder, writeAll } from '../sample-covers.ts';
import { OLD_COVERS, writeOldDataDir } from './old-data-dir.ts';

const OTHER = { name: 'other', hash: 'b'.repeat(64) };

/** Everything in the folder but the locks, which say nothing of what is there. */
function contentOf(dataDir: string): Map<string, string> {
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((path) => !/lock$/.test(path))
      .map((path) => [path, readFileSync(path, 'base64')]),
  );
}

test('a folder that is not there, and one that is empty, stay so', async (t) => {
  const folder = temporaryFolder(t);
  assert.equal(await inspectDataDir(join(folder, 'none'), BUNDLE), undefined);
  assert.equal(existsSync(join(folder, 'none')), false);
  mkdirSync(join(folder, 'empty'));
  assert.equal(await inspectDataDir(join(folder, 'empty'), BUNDLE), undefined);
  assert.deepEqual(readdirSync(join(folder, 'empty')), []);
});

test('a folder that nothing was written to is empty, whatever bundle opened it', async (t) => {
  const dataDir = temporaryFolder(t);
  await (await openSample(dataDir)).close();
  const before = contentOf(dataDir);
  assert.equal(await inspectDataDir(dataDir, OTHER), undefined);
  assert.deepEqual(contentOf(dataDir), before);
});

test('covers are counted and their bundle compared, and the folder stays as it is', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, sampleCovers(30));
  await index.close();
  const before = contentOf(dataDir);
  assert.deepEqual(await inspectDataDir(dataDir, BUNDLE), { covers: 30, isOld: false });
  await assert.rejects(inspectDataDir(dataDir, OTHER), (error) => isFailure(error, 'bundle_mismatch'));
  assert.deepEqual(contentOf(dataDir), before);
  const opened = await openForTest(t, dataDir);
  await assert.rejects(inspectDataDir(dataDir, BUNDLE), (error) => isFailure(error, 'data_dir_busy'));
  await opened.close();
  truncateSync(join(dataDir, 'covers.lmdb'), 20_000);
  await assert.rejects(inspectDataDir(dataDir, BUNDLE), (error) => isFailure(error, 'corrupt_data'));
  rmSync(join(dataDir, 'covers.lmdb'));
  await assert.rejects(inspectDataDir(dataDir, BUNDLE), (error) => isFailure(error, 'corrupt_data'));
});

test('a folder of an older format is told as such and not brought up to date', async (t) => {
  const dataDir = join(temporaryFolder(t), 'old');
  writeOldDataDir(dataDir);
  const before = contentOf(dataDir);
  assert.deepEqual(await inspectDataDir(dataDir, BUNDLE), { covers: OLD_COVERS, isOld: true });
  await assert.rejects(inspectDataDir(dataDir, OTHER), (error) => isFailure(error, 'bundle_mismatch'));
  assert.deepEqual(contentOf(dataDir), before);
});
