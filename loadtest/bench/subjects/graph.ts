import type { VectorIndex } from '../../../src/store/vector-index.ts';

/** A search of a graph, or of all there is. */
export interface TimedSearch {
  readonly labels: readonly number[];
  readonly ms: number;
}

export function search(graph: VectorIndex, query: Float32Array, k: number, ef: number): TimedSearch {
  const startedAt = performance.now();
  const { labels } = graph.search(query, k, ef);
  return { labels, ms: performance.now() - startedAt };
}

/** How many labels are among the others. */
export function shared(some: readonly number[], others: Iterable<number>): number {
  const known = new Set(others);
  return some.filter((label) => known.has(label)).length;
}

/** Milliseconds of one. They are removed again, so that the next searches meet the same vectors. */
export function insert(graph: VectorIndex, vectors: readonly Float32Array[]): number {
  const firstLabel = graph.elements + 1;
  const startedAt = performance.now();
  vectors.forEach((vector, i) => {
    graph.add(firstLabel + i, vector);
  });
  const tookMs = performance.now() - startedAt;
  for (let i = 0; i < vectors.length; i++) graph.remove(firstLabel + i);
  return tookMs / vectors.length;
}
