import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, isFailure } from '../../core/errors.ts';
import type { ModelRef } from '../../core/types.ts';
import { type CoverStore, openCoverStore } from '../cover-store.ts';
import { isUnwritable } from '../disk/disk-failure.ts';
import { type OpenedJudgementStore, openJudgementStore } from '../judgements/judgement-store.ts';
import { lmdbDefect } from '../lmdb/check-lmdb.ts';
import { demandRoom } from '../lmdb/disk-room.ts';
import type { TokenShape } from '../record-codec.ts';
import { migrateStore } from './migrate-store.ts';
import { DATA_FORMAT, type StoreAbout } from './store-about.ts';

/** Names inside a data folder. */
export interface DataDirPaths {
  readonly root: string;
  readonly store: string;
  readonly graph: string;
  readonly judgements: string;
  readonly snapshots: string;
  /** See `closed-mark.ts`. */
  readonly closed: string;
}

export function dataDirPaths(root: string): DataDirPaths {
  return {
    root,
    store: join(root, 'covers.lmdb'),
    graph: join(root, 'graph'),
    judgements: join(root, 'judgements.lmdb'),
    snapshots: join(root, 'snapshots'),
    closed: join(root, 'closed.json'),
  };
}

/** Names of the LMDB files in a data folder: the covers, and whatever else keeps its records there. */
export async function lmdbFiles(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && isLmdbName(entry.name)).map(({ name }) => name);
}

export function isLmdbName(name: string): boolean {
  return /^[a-z][a-z0-9-]*\.lmdb$/.test(name);
}

export interface OpenStoreOptions {
  /** Whether the file's pages are as an orderly end left them, so that they need not be looked at first. */
  readonly pagesAreKnown?: boolean;
  /** Whether a store of an older format stays as it is, of which nothing but `about` and `counts` can be read. */
  readonly keepsFormat?: boolean;
}

/**
 * Opens the folder's store, which must be locked; one of an older format is brought to the present one. Fails with
 * `corrupt_data` when it is damaged.
 */
export async function openStore(paths: DataDirPaths, options: OpenStoreOptions = {}): Promise<CoverStore> {
  await hasStore(paths);
  if (options.pagesAreKnown !== true) await demandWholeFile(paths.store);
  return openChecked(paths.store, async (path) => {
    if (options.keepsFormat !== true) await migrateStore(path);
    const store = openCoverStore(path);
    if (isConsistent(store)) return store;
    await store.close();
    throw new Error('its parts do not belong together');
  });
}

/** LMDB makes a database that it does not find, so one whose name was damaged would pass for an empty one. */
function isConsistent(store: CoverStore): boolean {
  const { covers, labels, embeddings } = store.counts();
  return covers === labels && labels === embeddings && (covers === 0 || store.about() !== undefined);
}

/** Opens the folder's judgements, like `openStore`. */
export async function openJudgements(paths: DataDirPaths): Promise<OpenedJudgementStore> {
  await demandWholeFile(paths.judgements);
  return openChecked(paths.judgements, async (path) => openJudgementStore(path));
}

/** Over a damaged file LMDB would end the process, or answer with what is not there: it is looked at before. */
async function demandWholeFile(path: string): Promise<void> {
  const defect = await lmdbDefect(path);
  if (defect !== undefined) throw damagedData(`The store ${path} cannot be opened: ${defect}`);
}

async function openChecked<T>(path: string, open: (path: string) => Promise<T>): Promise<T> {
  try {
    return await open(path);
  } catch (cause) {
    if (isFailure(cause, 'storage_full')) throw cause;
    if (isUnwritable(cause)) throw failure('invalid_config', `The store ${path} cannot be written to.`, { cause });
    throw damagedData(`The store ${path} cannot be opened: ${(cause as Error).message}`, cause);
  }
}

/**
 * Whether covers were ever kept in the folder. A graph is saved from the first start on: where there is one, covers that
 * are gone were lost, not never there, and it fails with `corrupt_data`.
 */
export async function hasStore({ root, store, graph }: DataDirPaths): Promise<boolean> {
  if (existsSync(store) && statSync(store).size > 0) return true;
  if (!existsSync(graph) || (await readdir(graph)).length === 0) return false;
  throw damagedData(`The data folder ${root} has a graph, but its covers are missing`);
}

/** `defect` is a sentence without its full stop. */
export function damagedData(defect: string, cause?: unknown): Error {
  const advice = 'Restore a snapshot into another folder (coverrank restore), or index the covers again.';
  return failure('corrupt_data', `${defect}. ${advice}`, { cause });
}

/** What a store must have been made for. */
export interface StoreBinding {
  readonly bundle: ModelRef;
  readonly embeddingDim: number;
  readonly tokens: TokenShape | null;
}

/**
 * Binds a store that nothing was written to yet to the bundle, and checks of any other that it is bound to it. Fails with
 * `bundle_mismatch` or `corrupt_data`.
 */
export function bindStore(store: CoverStore, dataDir: string, binding: StoreBinding): StoreAbout {
  const about = store.about();
  if (about !== undefined) demandKnownFormat(about, dataDir);
  if (about?.bundle.hash === binding.bundle.hash) return about;
  if (store.lastSequence() === 0 && store.counts().covers === 0) return bindAnew(store, binding);
  if (about === undefined) throw failure('corrupt_data', `The data folder ${dataDir} does not say what made it.`);
  demandBundle(about, dataDir, binding.bundle);
  return about;
}

function bindAnew(store: CoverStore, { bundle, embeddingDim, tokens }: StoreBinding): StoreAbout {
  const made = {
    format: DATA_FORMAT,
    storeId: randomUUID(),
    bundle: { name: bundle.name, hash: bundle.hash },
    embeddingDim,
    tokens,
  };
  demandRoom(store.path, { bytes: 0, pages: 0 });
  store.transaction(() => store.putAbout(made));
  return made;
}

/** Fails with `bundle_mismatch` when another bundle made the store. */
export function demandBundle(about: StoreAbout, dataDir: string, bundle: ModelRef): void {
  if (about.bundle.hash === bundle.hash) return;
  throw failure(
    'bundle_mismatch',
    `The data folder ${dataDir} was indexed by the bundle ${describe(about.bundle)}, and the bundle loaded is ` +
      `${describe(bundle)}. Their embeddings cannot be mixed: load the bundle that made the folder, give ` +
      'another --data-dir, or remove the folder and index the covers again.',
  );
}

export function demandKnownFormat(about: StoreAbout, dataDir: string): void {
  if (about.format === DATA_FORMAT) return;
  throw failure(
    'corrupt_data',
    `The data folder ${dataDir} has format ${about.format}, and this version reads format ${DATA_FORMAT}.`,
  );
}

function describe({ name, hash }: ModelRef): string {
  return `${name} (${hash.slice(0, 12)})`;
}
