import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import { dot } from '../../../src/core/dot.ts';
import { createBestScores } from '../../../src/store/graph/exact-scan.ts';
import { createVectorIndex, readVectorIndex, type VectorIndex } from '../../../src/store/vector-index.ts';
import { createVectorSource, type VectorSource } from '../prepared/vectors.ts';
import type { OpenRow, Row } from '../row.ts';

const DIM = 512;
const MOST_COVERS = 30_000;
const K = 100;
const EF = 200;

interface Search {
  readonly labels: readonly number[];
  readonly ms: number;
}

/** The graph without thread and store: what it finds, and in what share of the time of looking at every vector. */
export const graphRow: Row = {
  name: 'graph',
  figures: [
    {
      id: 'graph-recall',
      title: `share of the ${K} nearest that the graph finds, ef ${EF}`,
      unit: 'share',
      better: 'higher',
      goal: 0.95,
    },
    {
      id: 'graph-search',
      title: "a search's time over that of scoring every vector",
      unit: 'ratio',
      better: 'lower',
      goal: 0.2,
    },
    { id: 'graph-insert', title: 'an insert, at the full size', unit: 'ms', better: 'lower', goal: 1 },
  ],
  async open(bench) {
    const covers = Math.min(MOST_COVERS, bench.settings.covers);
    const vectors = take(covers, covers, 1);
    const graph = createVectorIndex(DIM, 2 * covers);
    const before = process.memoryUsage().rss;
    vectors.forEach((vector, label) => {
      graph.add(label + 1, vector);
    });
    const bytes = (process.memoryUsage().rss - before) / covers;
    const more = createVectorSource({ dim: DIM, count: covers, draw: 3 });
    return {
      async round(number) {
        const queries = take(bench.durations.runs, covers, 10 + number);
        const exact = queries.map((query) => searchExactly(vectors, query));
        const found = queries.map((query) => search(graph, query));
        const shares = found.map(({ labels }, i) => shared(labels, (exact[i] as Search).labels) / K);
        const searchMs = median(found.map(({ ms }) => ms));
        const exactMs = median(exact.map(({ ms }) => ms));
        const files = await saveAndRead(graph);
        const insertMs = insert(graph, more, bench.durations.runs);
        return {
          'graph-recall': {
            value: shares.reduce((sum, share) => sum + share, 0) / shares.length,
            parts: { covers, search_ms: searchMs },
          },
          'graph-search': { value: searchMs / exactMs, parts: { search_ms: searchMs, exact_ms: exactMs } },
          'graph-insert': { value: insertMs, parts: { memory_bytes: bytes, ...files } },
        };
      },
      close: async () => {},
    } satisfies OpenRow;
  },
};

function take(vectors: number, count: number, draw: number): Float32Array[] {
  const source = createVectorSource({ dim: DIM, count, draw });
  return Array.from({ length: vectors }, () => source.next());
}

function search(graph: VectorIndex, query: Float32Array): Search {
  const startedAt = performance.now();
  const { labels } = graph.search(query, K, EF);
  return { labels, ms: performance.now() - startedAt };
}

function searchExactly(vectors: readonly Float32Array[], query: Float32Array): Search {
  const startedAt = performance.now();
  const best = createBestScores<number>(K);
  vectors.forEach((vector, label) => {
    best.offer(label + 1, dot(query, vector));
  });
  const { items } = best.take();
  return { labels: items.slice(0, K), ms: performance.now() - startedAt };
}

function shared(some: readonly number[], others: readonly number[]): number {
  const known = new Set(others);
  return some.filter((item) => known.has(item)).length;
}

/** Milliseconds of one. They are removed again, so that the next round searches the same vectors. */
function insert(graph: VectorIndex, source: VectorSource, count: number): number {
  const vectors = Array.from({ length: count }, () => source.next());
  const firstLabel = graph.elements + 1;
  const startedAt = performance.now();
  vectors.forEach((vector, i) => {
    graph.add(firstLabel + i, vector);
  });
  const tookMs = performance.now() - startedAt;
  for (let i = 0; i < count; i++) graph.remove(firstLabel + i);
  return tookMs / count;
}

async function saveAndRead(graph: VectorIndex) {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-bench-'));
  const file = join(folder, 'graph.bin');
  try {
    const startedAt = performance.now();
    await graph.write(file);
    const written = performance.now();
    (await readVectorIndex(file, DIM))(() => true);
    const read = performance.now();
    return { file_bytes: (await stat(file)).size, write_ms: written - startedAt, read_ms: read - written };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
