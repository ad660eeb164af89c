import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import { dot } from '../../../src/core/dot.ts';
import { createBestScores } from '../../../src/store/graph/exact-scan.ts';
import { type GraphBuild, graphBuilds, loadGraphLibrary } from '../../../src/store/graph-library.ts';
import { createVectorIndex, readVectorIndex, type VectorIndex } from '../../../src/store/vector-index.ts';
import { createVectorSource } from '../prepared/vectors.ts';
import type { OpenRow, Row } from '../row.ts';
import { insert, search, shared, type TimedSearch } from '../subjects/graph.ts';

const DIM = 512;
const MOST_COVERS = 30_000;
const K = 100;
const EF = 200;

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
    {
      id: 'graph-build',
      title: "a search's time by the build for this processor over that of the portable one",
      unit: 'ratio',
      better: 'lower',
      goal: 1,
    },
  ],
  async open(bench) {
    const covers = Math.min(MOST_COVERS, bench.settings.covers);
    const vectors = take(covers, covers, 1);
    const [build = 'portable'] = graphBuilds();
    const before = process.memoryUsage().rss;
    const graph = graphOf(vectors, build);
    const bytes = (process.memoryUsage().rss - before) / covers;
    const portable = build === 'portable' ? graph : graphOf(vectors, 'portable');
    const more = createVectorSource({ dim: DIM, count: covers, draw: 3 });
    return {
      async round(number) {
        const queries = take(bench.durations.runs, covers, 10 + number);
        const exact = queries.map((query) => searchExactly(vectors, query));
        const found = queries.map((query) => search(graph, query, K, EF));
        const portableMs = median(queries.map((query) => search(portable, query, K, EF).ms));
        const shares = found.map(({ labels }, i) => shared(labels, (exact[i] as TimedSearch).labels) / K);
        const searchMs = median(found.map(({ ms }) => ms));
        const exactMs = median(exact.map(({ ms }) => ms));
        const files = await saveAndRead(graph);
        const insertMs = insert(
          graph,
          Array.from({ length: bench.durations.runs }, () => more.next()),
        );
        return {
          'graph-recall': {
            value: shares.reduce((sum, share) => sum + share, 0) / shares.length,
            parts: { covers, search_ms: searchMs },
          },
          'graph-search': { value: searchMs / exactMs, parts: { search_ms: searchMs, exact_ms: exactMs } },
          'graph-build': { value: searchMs / portableMs, parts: { search_ms: searchMs, portable_ms: portableMs } },
          'graph-insert': { value: insertMs, parts: { memory_bytes: bytes, ...files } },
        };
      },
      close: async () => {},
    } satisfies OpenRow;
  },
};

function graphOf(vectors: readonly Float32Array[], build: GraphBuild): VectorIndex {
  const graph = createVectorIndex(DIM, 2 * vectors.length, loadGraphLibrary(build));
  vectors.forEach((vector, label) => {
    graph.add(label + 1, vector);
  });
  return graph;
}

function take(vectors: number, count: number, draw: number): Float32Array[] {
  const source = createVectorSource({ dim: DIM, count, draw });
  return Array.from({ length: vectors }, () => source.next());
}

function searchExactly(vectors: readonly Float32Array[], query: Float32Array): TimedSearch {
  const startedAt = performance.now();
  const best = createBestScores<number>(K);
  vectors.forEach((vector, label) => {
    best.offer(label + 1, dot(query, vector));
  });
  const { items } = best.take();
  return { labels: items.slice(0, K), ms: performance.now() - startedAt };
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
