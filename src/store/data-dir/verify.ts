import { existsSync } from 'node:fs';
import { failure } from '../../core/errors.ts';
import type { ModelRef } from '../../core/types.ts';
import { coverProblems, problemOf } from '../cover-problems.ts';
import type { CoverStore } from '../cover-store.ts';
import { graphDefect, loadGraph, readGraphManifest } from '../graph/graph-snapshot.ts';
import { type StoredCover, tokenBytes } from '../record-codec.ts';
import type { VectorIndex } from '../vector-index.ts';
import { type DataDirPaths, dataDirPaths, demandKnownFormat, openJudgements, openStore } from './data-dir.ts';
import { lockDataDir } from './lock-data-dir.ts';
import type { StoreAbout } from './store-about.ts';

export interface VerifyReport {
  readonly bundle: ModelRef;
  readonly embeddingDim: number;
  readonly covers: number;
  readonly sequence: number;
  /** How many were kept of what people judged. */
  readonly judgements: number;
  /** The saved graph; null when there is none that can be used. */
  readonly graph: { readonly sequence: number; readonly elements: number; readonly deleted: number } | null;
  /** Of covers drawn from all over the graph, how many it finds when asked for their own embedding. */
  readonly selfRecall: { readonly sampled: number; readonly found: number } | null;
  /** Damage to the covers themselves: what is lost must be indexed again. */
  readonly problems: readonly string[];
  /** What the next start will mend by itself, by building the graph from the covers. */
  readonly warnings: readonly string[];
}

const SAMPLE = 200;
const EF = 200;
/** Two covers may share a picture: then either is right. */
const SAME_COSINE = 1 - 1e-4;
const LEAST_SELF_RECALL = 0.95;
/** Problems told in full; the rest are counted. */
const MAX_TOLD = 20;

/**
 * Reads everything in a data folder that no process has open and checks it: records, counts, the log, the graph's
 * checksum and whether it finds what it holds. Fails with `data_dir_busy`, and with `corrupt_data` where there is no
 * store that can be read at all.
 */
export async function verifyDataDir(dataDir: string): Promise<VerifyReport> {
  const paths = dataDirPaths(dataDir);
  if (!existsSync(paths.store)) throw failure('corrupt_data', `The folder ${dataDir} holds no store.`);
  const lock = lockDataDir(dataDir);
  try {
    const store = await openStore(paths);
    try {
      const about = store.about();
      if (about === undefined) throw failure('corrupt_data', `The data folder ${dataDir} does not say what made it.`);
      demandKnownFormat(about, dataDir);
      const problems = createProblems();
      checkCovers(store, about, problems.add);
      const judgements = await checkJudgements(paths, problems.add);
      const checked = await checkGraph(store, about, paths.graph);
      const { name, hash } = about.bundle;
      return {
        bundle: { name, hash },
        embeddingDim: about.embeddingDim,
        covers: store.counts().covers,
        sequence: store.lastSequence(),
        judgements,
        ...checked,
        problems: problems.told(),
      };
    } finally {
      await store.close();
    }
  } finally {
    lock.release();
  }
}

function checkCovers(store: CoverStore, about: StoreAbout, add: (problem: string) => void): void {
  const { covers, labels, embeddings, tokens, thumbnails } = store.counts();
  let withTokens = 0;
  let withThumbnail = 0;
  const unreadable = problemOf(() => {
    for (const cover of store.allCovers()) {
      for (const problem of coverProblems(store, cover, about.embeddingDim)) add(problem);
      for (const problem of pictureProblems(store, about, cover)) add(problem);
      withTokens += Number(cover.hasTokens);
      withThumbnail += Number(cover.hasThumbnail);
      if (cover.sequence > store.lastSequence()) add(`cover ${JSON.stringify(cover.id)}: it is newer than the store`);
    }
    return undefined;
  });
  if (unreadable !== undefined) add(`the covers cannot be read: ${unreadable}`);
  const counts = { labels, embeddings, tokens, thumbnails };
  const expected = { labels: covers, embeddings: covers, tokens: withTokens, thumbnails: withThumbnail };
  for (const kind of ['labels', 'embeddings', 'tokens', 'thumbnails'] as const) {
    if (counts[kind] !== expected[kind]) add(`there are ${counts[kind]} ${kind} where ${expected[kind]} belong`);
  }
}

/** Reads them all; returns how many there are. */
async function checkJudgements(paths: DataDirPaths, add: (problem: string) => void): Promise<number> {
  if (!existsSync(paths.judgements)) return 0;
  let read = 0;
  try {
    const store = await openJudgements(paths);
    try {
      for (const { topic, query, id } of store.list()) {
        if (store.topicOf(query) !== topic || id === '')
          add(`judgement ${read + 1}: it belongs to no query or no cover`);
        read += 1;
      }
    } finally {
      await store.close();
    }
  } catch (error) {
    add(`the judgements cannot be read: ${(error as Error).message}`);
  }
  return read;
}

/** What a start leaves for the moment in which it is asked for. */
function* pictureProblems(store: CoverStore, about: StoreAbout, { id, label }: StoredCover): Iterable<string> {
  const name = `cover ${JSON.stringify(id)}`;
  const tokens = problemOf(() => {
    const stored = store.tokens(label);
    const whole = stored === undefined || stored.length === (about.tokens && tokenBytes(about.tokens));
    return whole ? undefined : 'they do not fit the bundle';
  });
  if (tokens !== undefined) yield `${name}: its image tokens cannot be used: ${tokens}`;
  const thumbnail = problemOf(() => void store.thumbnail(label));
  if (thumbnail !== undefined) yield `${name}: its thumbnail cannot be read: ${thumbnail}`;
}

async function checkGraph(
  store: CoverStore,
  about: StoreAbout,
  folder: string,
): Promise<Pick<VerifyReport, 'graph' | 'selfRecall' | 'warnings'>> {
  const owner = { storeId: about.storeId, bundleHash: about.bundle.hash, embeddingDim: about.embeddingDim };
  const manifest = await readGraphManifest(folder);
  const defect =
    (await graphDefect(folder, manifest, owner)) ?? problemOf(() => logDefect(store, manifest?.sequence ?? 0));
  if (manifest === undefined || defect !== undefined) {
    const warnings = store.counts().covers === 0 ? [] : [`the saved graph cannot be used: ${defect}`];
    return { graph: null, selfRecall: null, warnings };
  }
  const { sequence, elements, deleted } = manifest;
  const read = await loadGraph(folder, manifest);
  // By their keys: whose they are was looked at with the covers, and may be damaged.
  const live = new Set(store.labelsAfter(0, Number.MAX_SAFE_INTEGER));
  const graph = read?.((label) => live.has(label));
  const selfRecall = graph === undefined ? null : sampleSelfRecall(store, graph);
  const poor = selfRecall !== null && selfRecall.found < LEAST_SELF_RECALL * selfRecall.sampled;
  const warnings = poor ? [`the graph finds only ${selfRecall.found} of ${selfRecall.sampled} covers: rebuild it`] : [];
  return { graph: { sequence, elements, deleted }, selfRecall, warnings };
}

/** Why a graph that ends at `sequence` cannot be brought up to date. */
function logDefect(store: CoverStore, sequence: number): string | undefined {
  const last = store.lastSequence();
  if (sequence > last) return 'it is newer than the store';
  const entries = store.logAfter(sequence, last - sequence + 1);
  const whole = entries.length === last - sequence && entries.every((entry, i) => entry.sequence === sequence + 1 + i);
  return whole ? undefined : 'the log of what came after it has gaps';
}

function sampleSelfRecall(store: CoverStore, graph: VectorIndex): { readonly sampled: number; readonly found: number } {
  const labels = store.labelsAfter(0, Number.MAX_SAFE_INTEGER).filter((label) => graph.has(label));
  const step = Math.max(1, labels.length / SAMPLE);
  let sampled = 0;
  let found = 0;
  for (let i = 0; i < labels.length; i += step) {
    const embedding = readableEmbedding(store, labels[Math.floor(i)] as number);
    if (embedding === undefined) continue;
    sampled += 1;
    const [best] = graph.search(embedding, 1, EF).cosines;
    if (best !== undefined && best >= SAME_COSINE) found += 1;
  }
  return { sampled, found };
}

/** One that cannot be read was told with its cover. */
function readableEmbedding(store: CoverStore, label: number): Float32Array | undefined {
  try {
    return store.embedding(label);
  } catch {
    return undefined;
  }
}

function createProblems(): { add(problem: string): void; told(): string[] } {
  const problems: string[] = [];
  let untold = 0;
  return {
    add(problem) {
      if (problems.length < MAX_TOLD) problems.push(problem);
      else untold += 1;
    },
    told: () => (untold === 0 ? problems : [...problems, `and ${untold} more`]),
  };
}
