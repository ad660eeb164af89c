import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { packageRoot } from '../../../src/core/package-root.ts';

export const OLD_COVERS = 51;

/**
 * Writes a data folder as release 0.1.0 left it when it was killed: the covers 0 to 59 of `sampleCovers`, the graph saved
 * after the first 40; then 0 to 9 deleted, 59 renamed, and a cover written whose id holds a NUL.
 */
export function writeOldDataDir(dataDir: string): void {
  const fixture = join(packageRoot, 'test/fixtures/data-v1');
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, 'covers.lmdb'), gunzipSync(readFileSync(join(fixture, 'covers.lmdb.gz'))));
  cpSync(join(fixture, 'graph'), join(dataDir, 'graph'), { recursive: true });
}
