import { type GraphLibrary, loadGraphLibrary } from './graph-library.ts';

/**
 * The graph: HNSW over L2-normalised vectors with the inner product, so that cosine = 1 - distance. Deletes are
 * tombstones, which stay in the graph until it is built anew. Not thread-safe: one thread owns it, and nothing may be
 * added or removed while `write` runs (searching may go on).
 */
export interface VectorIndex {
  /** Vectors held, tombstones included. */
  readonly elements: number;
  readonly deleted: number;
  readonly capacity: number;
  /** Without tombstones. Any of them may be removed while they are gone through. */
  labels(): Iterable<number>;
  has(label: number): boolean;
  add(label: number, vector: ArrayLike<number>): void;
  remove(label: number): void;
  /**
   * The `k` nearest that `allow` lets through, nearest first, or fewer. `ef` is the number of nodes held during the
   * search: more finds more and takes longer.
   */
  search(vector: ArrayLike<number>, k: number, ef: number, allow?: (label: number) => boolean): Scored;
  write(file: string): Promise<void>;
}

/** Labels with their cosines, by place. */
export interface Scored {
  readonly labels: readonly number[];
  readonly cosines: readonly number[];
}

export const GRAPH_PARAMETERS = { m: 16, efConstruction: 200, seed: 100 } as const;

const INITIAL_CAPACITY = 1024;
const GROWTH = 1.5;

const hnswlib = loadGraphLibrary();

type Graph = InstanceType<GraphLibrary['HierarchicalNSW']>;

/** An empty graph; `expected` vectors fit before it has to grow. */
export function createVectorIndex(dim: number, expected = 0, library: GraphLibrary = hnswlib): VectorIndex {
  const graph = new library.HierarchicalNSW('ip', dim);
  const { m, efConstruction, seed } = GRAPH_PARAMETERS;
  graph.initIndex(Math.max(INITIAL_CAPACITY, expected), m, efConstruction, seed, false);
  return wrap(graph, new Set(), 0);
}

/** What was read of a file: the graph of those of its vectors that `isLive` lets through; the rest become tombstones. */
export type ReadVectors = (isLive: (label: number) => boolean) => VectorIndex;

/**
 * Reads what `write` wrote, in a thread of Node's pool. A damaged file can end the process, so its checksum must have
 * been verified before.
 */
export async function readVectorIndex(file: string, dim: number): Promise<ReadVectors> {
  const graph = new hnswlib.HierarchicalNSW('ip', dim);
  await graph.readIndex(file);
  return (isLive) => {
    const live = new Set<number>();
    let deleted = 0;
    for (const label of graph.getIdsList()) {
      if (isLive(label)) live.add(label);
      else {
        markDeleted(graph, label);
        deleted += 1;
      }
    }
    return wrap(graph, live, deleted);
  };
}

function wrap(graph: Graph, live: Set<number>, alreadyDeleted: number): VectorIndex {
  let deleted = alreadyDeleted;
  return {
    get elements() {
      return graph.getCurrentCount();
    },
    get deleted() {
      return deleted;
    },
    get capacity() {
      return graph.getMaxElements();
    },
    labels: () => live.keys(),
    has: (label) => live.has(label),
    add(label, vector) {
      if (live.has(label)) return;
      const capacity = graph.getMaxElements();
      if (graph.getCurrentCount() >= capacity)
        graph.resizeIndex(Math.ceil(Math.max(INITIAL_CAPACITY, capacity * GROWTH)));
      // hnswlib-node takes plain arrays only.
      graph.addPoint(Array.from(vector), label);
      live.add(label);
    },
    remove(label) {
      if (!live.delete(label)) return;
      graph.markDelete(label);
      deleted += 1;
    },
    search(vector, k, ef, allow) {
      const wanted = Math.min(k, live.size);
      if (wanted === 0) return { labels: [], cosines: [] };
      graph.setEf(Math.max(ef, wanted));
      const { neighbors, distances } = graph.searchKnn(Array.from(vector), wanted, allow);
      return { labels: neighbors, cosines: distances.map((distance) => 1 - distance) };
    },
    async write(file) {
      await graph.writeIndex(file);
    },
  };
}

/** Labels that were tombstones when the graph was written are so already, which hnswlib reports by throwing. */
function markDeleted(graph: Graph, label: number): void {
  try {
    graph.markDelete(label);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('already deleted'))) throw error;
  }
}
