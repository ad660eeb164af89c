import type { ModelRef } from '../../core/types.ts';
import { findClosedMark, pagesAreKnown } from './closed-mark.ts';
import { dataDirPaths, demandBundle, demandKnownFormat, hasStore, openStore } from './data-dir.ts';
import { lockDataDir } from './lock-data-dir.ts';
import { DATA_FORMAT } from './store-about.ts';

export interface FoundData {
  readonly covers: number;
  /** Whether the next start brings the folder to the present format, for which it needs the room of its covers again. */
  readonly isOld: boolean;
}

/**
 * What a start with `bundle` would find in a data folder, which stays as it is; undefined where nothing was written yet.
 * Looks into the store's file as a start does, not into records or graph. Fails as a start would, with `data_dir_busy`,
 * `bundle_mismatch` or `corrupt_data`.
 */
export async function inspectDataDir(dataDir: string, bundle: ModelRef): Promise<FoundData | undefined> {
  const paths = dataDirPaths(dataDir);
  if (!(await hasStore(paths))) return undefined;
  const lock = lockDataDir(dataDir);
  try {
    const mark = await findClosedMark(paths);
    const store = await openStore(paths, { pagesAreKnown: pagesAreKnown(mark), keepsFormat: true });
    try {
      const about = store.about();
      if (about === undefined) return undefined;
      const isOld = about.format < DATA_FORMAT;
      if (!isOld) {
        demandKnownFormat(about, dataDir);
        if (store.lastSequence() === 0) return undefined;
      }
      demandBundle(about, dataDir, bundle);
      return { covers: store.counts().covers, isOld };
    } finally {
      await store.close();
    }
  } finally {
    lock.release();
  }
}
