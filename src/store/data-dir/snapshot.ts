import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { failure } from '../../core/errors.ts';
import type { SnapshotInfo } from '../../core/ports.ts';
import { openCoverStore } from '../cover-store.ts';
import { isDiskFull, isUnwritable } from '../disk/disk-failure.ts';
import { sync, writeDurably } from '../disk/durable-file.ts';
import { reached } from '../disk/durable-steps.ts';
import { digest } from '../disk/file-sums.ts';
import { readGraphManifest } from '../graph/graph-snapshot.ts';
import { copyLmdbFile, removeLock } from '../lmdb/open-lmdb.ts';
import { type DataDirPaths, dataDirPaths, isLmdbName, lmdbFiles } from './data-dir.ts';
import { LOCK_FILE, lockDataDir } from './lock-data-dir.ts';
import { DATA_FORMAT, type StoreAbout } from './store-about.ts';

/**
 * A copy of a data folder: the same files in the same places, and `snapshot.json` with the checksum of each. It is
 * complete once it has its final name.
 */
interface SnapshotManifest extends SnapshotInfo {
  readonly format: number;
  readonly bundle: { readonly name: string; readonly hash: string };
  /** By path relative to the snapshot. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

const MANIFEST = 'snapshot.json';
const UNFINISHED = 'unfinished-';

/**
 * Copies the folder's LMDB files and the graph under the data folder's `snapshots/` while writes go on. The graph must
 * not be saved, nor the log trimmed, meanwhile.
 */
export async function writeSnapshot(source: {
  readonly paths: DataDirPaths;
  readonly about: StoreAbout;
}): Promise<SnapshotInfo> {
  const { paths, about } = source;
  const folder = join(paths.snapshots, `${UNFINISHED}${randomBytes(6).toString('hex')}`);
  const copy = dataDirPaths(folder);
  try {
    await mkdir(paths.snapshots, { recursive: true });
    await removeUnfinished(paths.snapshots);
    await mkdir(copy.graph, { recursive: true });
    const databases = await lmdbFiles(paths.root);
    for (const file of databases) await copyLmdbFile(join(paths.root, file), join(folder, file));
    reached('snapshot copied');
    const files = [...databases, ...(await copyGraph(paths, copy))];
    const { sequence, covers } = await readCopy(copy);
    const digests = await Promise.all(files.map(async (file) => [file, await digest(join(folder, file))] as const));
    const createdAt = new Date().toISOString();
    const name = `${String(sequence).padStart(10, '0')}-${createdAt.replaceAll(/[:.]/g, '-')}`;
    const bytes = digests.reduce((sum, [, file]) => sum + file.bytes, 0);
    const info: SnapshotInfo = { name, sequence, covers, bytes, createdAt };
    const manifest: SnapshotManifest = {
      ...info,
      format: DATA_FORMAT,
      bundle: about.bundle,
      files: Object.fromEntries(digests),
    };
    for (const file of files) await sync(join(folder, file));
    await sync(copy.graph);
    await writeDurably(join(folder, MANIFEST), JSON.stringify(manifest, null, 2));
    reached('snapshot complete');
    await rename(folder, join(paths.snapshots, name));
    await sync(paths.snapshots);
    reached('snapshot named');
    return info;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw storageFailure(paths.snapshots, error);
  }
}

/**
 * Makes a data folder from a snapshot. Every byte is checked before the folder gets its name, so that there is a whole
 * one or none. Fails with `invalid_config` when `dataDir` holds anything, `corrupt_data` when the snapshot is damaged,
 * `storage_full` when there is no room and `data_dir_busy` when another process restores into the same folder.
 */
export async function restoreSnapshot(snapshotDir: string, dataDir: string): Promise<SnapshotInfo> {
  const manifest = await readManifest(snapshotDir);
  const target = resolve(dataDir);
  await demandEmpty(target);
  const parent = dirname(target);
  const unfinished = join(parent, `.${basename(target)}.restoring`);
  const lock = lockDataDir(unfinished);
  try {
    // What a restore left that was killed.
    for (const name of await contentOf(unfinished)) await rm(join(unfinished, name), { recursive: true });
    await mkdir(dataDirPaths(unfinished).graph, { recursive: true });
    for (const file of Object.keys(manifest.files)) await restoreFile(manifest, file, snapshotDir, unfinished);
    await sync(dataDirPaths(unfinished).graph);
    await sync(unfinished);
    reached('restore complete');
    await demandEmpty(target);
    await rm(target, { recursive: true, force: true });
    await rename(unfinished, target);
    await sync(parent);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw storageFailure(parent, error);
  } finally {
    lock.release();
  }
  const { name, sequence, covers, bytes, createdAt } = manifest;
  return { name, sequence, covers, bytes, createdAt };
}

async function demandEmpty(dataDir: string): Promise<void> {
  if (!existsSync(dataDir) || (await contentOf(dataDir)).length === 0) return;
  throw failure(
    'invalid_config',
    `The folder ${dataDir} is not empty: a snapshot is restored into an empty or a new one.`,
  );
}

/** Names in a data folder but for its lock. */
async function contentOf(dataDir: string): Promise<string[]> {
  return (await readdir(dataDir)).filter((name) => name !== LOCK_FILE);
}

async function restoreFile(manifest: SnapshotManifest, file: string, from: string, to: string): Promise<void> {
  const source = join(from, file);
  // A link would lead out of the snapshot.
  if (!(await lstat(source).catch(() => undefined))?.isFile()) {
    throw failure('corrupt_data', `The snapshot lacks the file ${file}.`);
  }
  await copyFile(source, join(to, file));
  reached('restore copied');
  const found = await digest(join(to, file));
  const expected = manifest.files[file];
  if (found.bytes !== expected?.bytes || found.sha256 !== expected.sha256) {
    throw failure('corrupt_data', `The snapshot's file ${file} does not match its checksum.`);
  }
  await sync(join(to, file));
}

/** An error of the disk by its name, wherever it was met. */
function storageFailure(folder: string, error: unknown): unknown {
  if (isDiskFull(join(folder, MANIFEST), error)) {
    return failure('storage_full', 'The disk has no room for the copy.', { cause: error });
  }
  return isUnwritable(error) ? failure('unavailable', 'The disk does not take the copy.', { cause: error }) : error;
}

/** Left by processes that were killed: the folder is locked, so nobody else is writing one. */
async function removeUnfinished(snapshots: string): Promise<void> {
  for (const name of await readdir(snapshots)) {
    if (name.startsWith(UNFINISHED)) await rm(join(snapshots, name), { recursive: true });
  }
}

/** Copies the saved graph and returns the copied files' paths. */
async function copyGraph(paths: DataDirPaths, copy: DataDirPaths): Promise<string[]> {
  const manifest = await readGraphManifest(paths.graph);
  if (manifest === undefined) return [];
  const names = ['manifest.json', ...(manifest.file === null ? [] : [manifest.file])];
  for (const name of names) await copyFile(join(paths.graph, name), join(copy.graph, name));
  return names.map((name) => `${basename(copy.graph)}/${name}`);
}

async function readCopy(copy: DataDirPaths): Promise<{ readonly sequence: number; readonly covers: number }> {
  const store = openCoverStore(copy.store);
  try {
    return { sequence: store.lastSequence(), covers: store.counts().covers };
  } finally {
    await store.close();
    await removeLock(copy.store);
  }
}

async function readManifest(snapshotDir: string): Promise<SnapshotManifest> {
  const parsed = await readJson(join(snapshotDir, MANIFEST));
  if (typeof parsed !== 'object' || parsed === null) throw noSnapshot(snapshotDir, `its ${MANIFEST} cannot be read`);
  const manifest = parsed as SnapshotManifest;
  const { format, files } = manifest;
  if (!(format >= 1 && format <= DATA_FORMAT)) {
    throw noSnapshot(snapshotDir, `it has format ${format}, and this version reads formats up to ${DATA_FORMAT}`);
  }
  // What the manifest names is copied; it must not lead out of the folders.
  for (const file of Object.keys(files ?? {})) {
    if (!isLmdbName(file) && !/^graph\/(manifest\.json|graph-\d+-[0-9a-f]+\.bin)$/.test(file)) {
      throw noSnapshot(snapshotDir, `its ${MANIFEST} names the file ${JSON.stringify(file)}, which no snapshot has`);
    }
  }
  if (files?.['covers.lmdb'] === undefined) throw noSnapshot(snapshotDir, `its ${MANIFEST} names no store`);
  return manifest;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function noSnapshot(snapshotDir: string, because: string): Error {
  return failure('corrupt_data', `The folder ${snapshotDir} is no snapshot: ${because}.`);
}
