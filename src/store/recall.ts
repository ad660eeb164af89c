import { failure } from '../core/errors.ts';
import type { Neighbor, RecallQuery, RecallResult } from '../core/ports.ts';
import type { CoverStore } from './cover-store.ts';
import { demandEmbedding } from './encode-write.ts';
import type { GraphClient } from './graph/graph-client.ts';
import type { Scored } from './vector-index.ts';

/** Answers a recall: the graph's thread finds labels, the store says whose they are. */
export function createRecall(store: CoverStore, graph: GraphClient, embeddingDim: number) {
  return async (query: RecallQuery, signal: AbortSignal): Promise<RecallResult> => {
    const { embedding, k, filter, candidates } = query;
    demandEmbedding(embedding, embeddingDim);
    if (!Number.isInteger(k) || k < 1) throw failure('invalid_request', 'k must be a positive integer.');
    if (candidates === undefined) {
      const found = await graph.search({ embedding, k, filter }, signal);
      return { neighbors: best(neighborsOf(store, found), k), missing: [] };
    }
    const ids = [...new Set(candidates)];
    const { places, cosines, missing } = await graph.score({ embedding, k, filter, ids }, signal);
    const neighbors = places.map((place, i) => ({ id: ids[place] as string, cosine: cosines[i] as number }));
    return { neighbors: best(neighbors, k), missing: missing.map((place) => ids[place] as string) };
  };
}

/** A label that no cover has now was replaced or deleted since the graph last looked: it is left out. */
function neighborsOf(store: CoverStore, { labels, cosines }: Scored): Neighbor[] {
  return labels.flatMap((label, i) => {
    const id = store.idOf(label);
    return id === undefined ? [] : [{ id, cosine: cosines[i] as number }];
  });
}

function best(neighbors: Neighbor[], k: number): Neighbor[] {
  return neighbors.sort((a, b) => b.cosine - a.cosine || (a.id < b.id ? -1 : 1)).slice(0, k);
}
