import { median, sum } from 'simple-statistics';
import { dot } from '../../../src/core/dot.ts';
import { openCoverStore } from '../../../src/store/cover-store.ts';
import { dataDirPaths } from '../../../src/store/data-dir/data-dir.ts';
import { createBestScores } from '../../../src/store/graph/exact-scan.ts';
import { loadGraph, readGraphManifest } from '../../../src/store/graph/graph-snapshot.ts';
import { createVectorSource } from '../prepared/vectors.ts';
import { insert, search, shared } from '../subjects/graph.ts';

const K = 100;
const EF = 200;
const QUERIES = 50;
const INSERTS = 200;
const CHUNK = 4096;

/**
 * The saved graph of a data folder that nobody serves: the share of the 100 nearest that it finds, looked at against every
 * vector of the store, and what a search and an insert take at its size.
 */
export async function measureGraph(dataDir: string, covers: number): Promise<Readonly<Record<string, number>>> {
  const paths = dataDirPaths(dataDir);
  const manifest = await readGraphManifest(paths.graph);
  const graph = manifest === undefined ? undefined : (await loadGraph(paths.graph, manifest))?.(() => true);
  if (manifest === undefined || graph === undefined) throw new Error(`${dataDir} has no saved graph.`);
  const vectorsOf = (count: number, draw: number): Float32Array[] => {
    const source = createVectorSource({ dim: manifest.embeddingDim, count: covers, draw });
    return Array.from({ length: count }, () => source.next());
  };
  const queries = vectorsOf(QUERIES, 10);
  const nearest = await nearestOfAll(paths.store, queries);
  const searches = queries.map((query) => search(graph, query, K, EF));
  const found = searches.map(({ labels }, number) => shared(labels, nearest[number] as readonly number[]));
  // The first may have to make room.
  insert(graph, vectorsOf(1, 4));
  return {
    recall_at_100: sum(found) / sum(nearest.map(({ length }) => length)),
    search_ms: median(searches.map(({ ms }) => ms)),
    insert_ms: insert(graph, vectorsOf(INSERTS, 3)),
  };
}

/** Labels of the nearest covers of each query, by a look at all of them. */
async function nearestOfAll(storePath: string, queries: readonly Float32Array[]): Promise<(readonly number[])[]> {
  const store = openCoverStore(storePath);
  try {
    const best = queries.map(() => createBestScores<number>(K));
    for (
      let labels = store.labelsAfter(0, CHUNK);
      labels.length > 0;
      labels = store.labelsAfter(labels.at(-1) ?? 0, CHUNK)
    ) {
      for (const label of labels) {
        const embedding = store.embedding(label);
        if (embedding === undefined) continue;
        queries.forEach((query, number) => {
          best[number]?.offer(label, dot(query, embedding));
        });
      }
      // Opens a new view on the store, so that the old one's pages can go.
      store.refresh();
    }
    return best.map((scores) => scores.take().items.slice(0, K));
  } finally {
    await store.close();
  }
}
