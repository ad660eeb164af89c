import { mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type CoverStore, openCoverStore } from '../../../src/store/cover-store.ts';
import { dataDirPaths } from '../../../src/store/data-dir/data-dir.ts';
import { viewTokens } from '../../../src/store/record-codec.ts';
import { preparedOnce } from './cache.ts';
import { coverId } from './data-folder.ts';

/**
 * What a data folder holds as files of numpy, for the peer: `vectors.npy`, float32 [covers, dim]; where covers have image
 * tokens `token_values.npy`, int8 [covers, count, width], and `token_scales.npy`, float32 [covers, count].
 */
export function preparePeerFiles(cache: string, dataDir: string, withTokens: number): Promise<string> {
  return preparedOnce(join(cache, `peer-${basename(dataDir)}`), async (folder) => {
    await mkdir(folder);
    const store = openCoverStore(dataDirPaths(dataDir).store);
    try {
      await exportStore(store, folder, withTokens);
    } finally {
      await store.close();
    }
  });
}

async function exportStore(store: CoverStore, folder: string, withTokens: number): Promise<void> {
  const about = store.about();
  if (about === undefined) throw new Error('The data folder is empty.');
  const { covers } = store.counts();
  const labels = Array.from({ length: covers }, (_, number) => present(store.labelOf(coverId(number))));
  const vectors = labels.map((label) => () => present(store.embedding(label)).slice());
  await writeNpy(join(folder, 'vectors.npy'), '<f4', [covers, about.embeddingDim], vectors);

  const shape = about.tokens;
  if (shape === null || withTokens === 0) return;
  const tokens = labels.slice(0, withTokens).map((label) => () => {
    const stored = Uint8Array.from(present(store.tokens(label)));
    return viewTokens(stored.buffer, 0, shape);
  });
  const values = tokens.map((read) => () => read().values);
  const scales = tokens.map((read) => () => read().scales);
  await writeNpy(join(folder, 'token_values.npy'), '|i1', [withTokens, shape.count, shape.width], values);
  await writeNpy(join(folder, 'token_scales.npy'), '<f4', [withTokens, shape.count], scales);
}

/** Format version 1.0: magic, version, length of the header (u16), header padded so that the data is aligned, data. */
async function writeNpy(
  file: string,
  type: string,
  shape: readonly number[],
  rows: readonly (() => Float32Array | Int8Array)[],
): Promise<void> {
  const described = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = described.padEnd(Math.ceil((10 + described.length + 1) / 64) * 64 - 11);
  const start = Buffer.from(`\x93NUMPY\x01\x00..${header}\n`, 'latin1');
  start.writeUInt16LE(header.length + 1, 8);
  const handle = await open(file, 'w');
  try {
    await handle.write(start);
    for (const read of rows) await handle.write(read());
  } finally {
    await handle.close();
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The data folder lacks covers that it should hold.');
  return value;
}
