import { join } from 'node:path';
import type { CoverUpsert } from '../../../src/core/ports.ts';
import type { ImageTokens } from '../../../src/core/types.ts';
import { readManifest } from '../../../src/inference/bundle.ts';
import { openCoverIndex } from '../../../src/store/cover-index.ts';
import { DATA_FORMAT } from '../../../src/store/data-dir/store-about.ts';
import { createRandom } from '../../random.ts';
import { preparedOnce } from './cache.ts';
import { createVectorSource } from './vectors.ts';

export interface DataFolderOptions {
  readonly cache: string;
  /** Folder of the bundle that the data belongs to. */
  readonly bundle: string;
  readonly covers: number;
  /** Covers with image tokens, from the first one on. */
  readonly withTokens: number;
  readonly onProgress?: (done: number) => void;
}

const BATCH = 256;
const CHANNELS = 50;
const TOKEN_SEED = 5;

/** A data folder of covers with clustered random embeddings, written by the service's own store. */
export async function prepareDataFolder(options: DataFolderOptions): Promise<string> {
  const { cache, bundle, covers, withTokens } = options;
  const manifest = readManifest(bundle);
  // Opening a folder of an older format would change it first, which no row means to measure.
  const name = `covers-${covers}-tokens-${withTokens}-format-${DATA_FORMAT}-${manifest.hash.slice(0, 12)}`;
  return preparedOnce(join(cache, name), async (dataDir) => {
    const index = await openCoverIndex({
      dataDir,
      bundle: { name: manifest.name, hash: manifest.hash },
      embeddingDim: manifest.embedding_dim,
      tokens: manifest.tokens,
      // Closing saves the graph once; saving all of it every now and then would take longer than building it.
      snapshotEveryWrites: Number.MAX_SAFE_INTEGER,
    });
    try {
      for (const batch of batches(coverWrites(options, manifest), BATCH)) {
        await index.write(batch.writes).searchable;
        options.onProgress?.(batch.done);
      }
    } finally {
      await index.close();
    }
  });
}

export function coverId(number: number): string {
  return `cover-${number}`;
}

function* coverWrites(
  { covers, withTokens }: DataFolderOptions,
  { embedding_dim: dim, tokens: shape }: ReturnType<typeof readManifest>,
): Iterable<CoverUpsert> {
  const vectors = createVectorSource({ dim, count: covers, draw: 1 });
  const random = createRandom(TOKEN_SEED);
  for (let number = 0; number < covers; number++) {
    const tokens = shape !== null && number < withTokens ? randomTokens(shape, random) : undefined;
    yield {
      op: 'upsert',
      id: coverId(number),
      imageUrl: undefined,
      title: undefined,
      attributes: { channel: `channel-${number % CHANNELS}`, published: number },
      content: {
        features: { embedding: vectors.next(), tokens, ocrPresence: random() },
        imageHash: undefined,
        thumbnail: undefined,
      },
    };
  }
}

/** Tokens of a layer norm's scale: what they are does not change how long a reranker takes. */
export function randomTokens(
  { count, width }: { readonly count: number; readonly width: number },
  random: () => number,
): ImageTokens {
  const values = Int8Array.from({ length: count * width }, () => Math.round(254 * random() - 127));
  return { values, scales: new Float32Array(count).fill(3 / 127) };
}

function* batches<T>(items: Iterable<T>, size: number): Iterable<{ readonly writes: T[]; readonly done: number }> {
  let writes: T[] = [];
  let done = 0;
  for (const item of items) {
    writes.push(item);
    done += 1;
    if (writes.length === size) {
      yield { writes, done };
      writes = [];
    }
  }
  if (writes.length > 0) yield { writes, done };
}
