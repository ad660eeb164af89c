import { join } from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';
import { openBundle } from '../../../src/inference/bundle.ts';
import { indexCovers, readSampleCovers } from '../../covers.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { OpenRow, Row } from '../row.ts';
import { keepIndexing } from '../subjects/indexing.ts';
import { lookAtMainThread } from '../subjects/main-thread.ts';
import { serve } from '../subjects/served.ts';

const RERANKED = { topN: 10, recallK: 100, rerankK: 50, deadlineMs: 10_000 } as const;
const RECALLED = { ...RERANKED, rerankK: 0 } as const;
const RERANK_CONNECTIONS = 4;
const RECALL_CONNECTIONS = 8;
const COVERS = 64;

/** How long the main thread keeps its callers waiting while text tower, reranker, image tower and graph are all busy. */
export const eventLoopRow: Row = {
  name: 'event-loop',
  figures: [
    {
      id: 'event-loop-delay',
      title: 'event-loop delay p99 with all workers saturated',
      unit: 'ms',
      better: 'lower',
      goal: 10,
    },
  ],
  async open(bench) {
    const folder = await bench.bundle('int8');
    const nextQuery = await createQueryTexts(await openBundle(folder), 4);
    const covers = (await readSampleCovers(join(packageRoot, 'index', 'samples'))).slice(0, COVERS);
    const served = await serve({ flags: ['--model', folder] }, nextQuery, ({ client }) => indexCovers(client, covers));
    return {
      async round() {
        const { loadSeconds } = bench.durations;
        await lookAtMainThread(served.client);
        const [reranked, recalled, pictures] = await Promise.all([
          served.saturated(RERANKED, RERANK_CONNECTIONS, loadSeconds),
          served.saturated(RECALLED, RECALL_CONNECTIONS, loadSeconds),
          keepIndexing(served.client, covers, loadSeconds),
        ]);
        const { delayMs } = await lookAtMainThread(served.client);
        return {
          'event-loop-delay': {
            value: delayMs.p99,
            parts: {
              p50_ms: delayMs.p50,
              max_ms: delayMs.max,
              reranked_per_second: reranked.rank.throughputPerSecond,
              recalled_per_second: recalled.rank.throughputPerSecond,
              pictures_per_second: pictures,
            },
          },
        };
      },
      close: () => served.close(),
    } satisfies OpenRow;
  },
};
