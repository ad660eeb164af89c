import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { CoverIndex, CoverUpsert, CoverWrite } from '../../src/core/ports.ts';
import type { Attributes } from '../../src/core/types.ts';
import { type CoverIndexOptions, type OpenedCoverIndex, openCoverIndex } from '../../src/store/cover-index.ts';
import type { CoverStore } from '../../src/store/cover-store.ts';
import { commitBatches } from '../../src/store/cover-writer.ts';
import { type DataDirPaths, dataDirPaths } from '../../src/store/data-dir/data-dir.ts';
import { encodeWrite } from '../../src/store/encode-write.ts';

export const DIM = 32;
export const BUNDLE = { name: 'sample', hash: 'a'.repeat(64) };
export const TOKENS = { count: 3, width: 5 };

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomEmbedding(random: () => number, dim = DIM): Float32Array {
  return normalise(Float32Array.from({ length: dim }, () => gaussian(random)));
}

/** A point near `centre`: what embeddings of similar covers look like. */
export function embeddingNear(centre: Float32Array, random: () => number, spread = 0.5): Float32Array {
  const scale = spread / Math.sqrt(centre.length);
  return normalise(centre.map((value) => value + scale * gaussian(random)));
}

export function normalise(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

export interface SampleCover {
  readonly id: string;
  readonly embedding: Float32Array;
  readonly attributes?: Attributes;
}

export function upsert({ id, embedding, attributes = {} }: SampleCover, rest: Partial<CoverUpsert> = {}): CoverUpsert {
  return {
    op: 'upsert',
    id,
    imageUrl: `https://example.org/${id}`,
    title: `title of ${id}`,
    attributes,
    content: {
      features: { embedding, tokens: undefined, ocrPresence: 0.25 },
      imageHash: 'f00d',
      thumbnail: undefined,
    },
    ...rest,
  };
}

/** Random covers `cover-0`, `cover-1`, ... */
export function sampleCovers(count: number, seed = 1): SampleCover[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, (_, i) => ({ id: `cover-${i}`, embedding: randomEmbedding(random) }));
}

/** Ids by exact cosine, highest first; of equal ones the smaller id first. */
export function exactIds(query: Float32Array, covers: readonly SampleCover[], k: number): string[] {
  return covers
    .map(({ id, embedding }) => ({ id, score: cosine(query, embedding) }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .slice(0, k)
    .map(({ id }) => id);
}

/** Indexes that a test opened: hooks run in the order they were given, and a folder goes after what is open in it. */
const openedBy = new WeakMap<TestContext, CoverIndex[]>();

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-store-'));
  t.after(async () => {
    for (const index of openedBy.get(t) ?? []) await index.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function openSample(dataDir: string, options: Partial<CoverIndexOptions> = {}): Promise<OpenedCoverIndex> {
  return openCoverIndex({ dataDir, bundle: BUNDLE, embeddingDim: DIM, tokens: TOKENS, ...options });
}

/** Opens an index in a `temporaryFolder`; both go when the test ends. */
export async function openForTest(
  t: TestContext,
  dataDir: string,
  options: Partial<CoverIndexOptions> = {},
): Promise<OpenedCoverIndex> {
  const index = await openSample(dataDir, options);
  openedBy.set(t, [...(openedBy.get(t) ?? []), index]);
  return index;
}

export async function writeAll(index: CoverIndex, covers: readonly SampleCover[]): Promise<void> {
  const { durable, searchable } = index.write(covers.map((cover) => upsert(cover)));
  await durable;
  await searchable;
}

/** Writes to a store alone, as a writer does whom no graph has followed yet. */
export function commitTo(store: CoverStore, writes: readonly CoverWrite[]): void {
  const encoded = writes.map((write) => encodeWrite(write, { embeddingDim: DIM, tokens: TOKENS }));
  assert.ok(commitBatches(store, [encoded]).every((outcome) => 'results' in outcome));
}

/** A folder of these covers whose index was closed in order. */
export async function closedFolder(t: TestContext, covers: readonly SampleCover[]): Promise<DataDirPaths> {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, covers);
  await index.close();
  return dataDirPaths(dataDir);
}

export function never(): AbortSignal {
  return new AbortController().signal;
}

export async function recallIds(index: CoverIndex, embedding: Float32Array, k: number): Promise<string[]> {
  const { neighbors } = await index.recall({ embedding, k }, never());
  return neighbors.map(({ id }) => id);
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
