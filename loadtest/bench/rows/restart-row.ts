import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openBundle } from '../../../src/inference/bundle.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { OpenRow, Row } from '../row.ts';
import { serve } from '../subjects/served.ts';

const PARAMETERS = { topN: 10, recallK: 100, rerankK: 0, deadlineMs: 10_000 } as const;
const GRAPH_FOLDER = 'graph';
const READ_BYTES = 1 << 22;

/** From the start of the process to its first answer, with the graph on disk as an orderly end leaves it. */
export const restartRow: Row = {
  name: 'restart',
  figures: [
    {
      id: 'restart',
      title: 'start of the service until /rank can be answered',
      unit: 's',
      better: 'lower',
      goal: 10,
    },
  ],
  async open(bench) {
    const folder = await bench.bundle('int8');
    const { restartCovers: covers } = bench.settings;
    bench.say(`preparing ${covers} covers`);
    const dataDir = await prepareDataFolder({ cache: bench.cache, bundle: folder, covers, withTokens: 0 });
    const nextQuery = await createQueryTexts(await openBundle(folder), 5);
    return {
      async round() {
        const read = await readGraph(join(dataDir, GRAPH_FOLDER));
        const startedAt = performance.now();
        const served = await serve({ dataDir, flags: ['--model', folder] }, nextQuery);
        const readyMs = performance.now() - startedAt;
        try {
          const first = await served.alone(PARAMETERS, 1);
          return {
            restart: {
              value: readyMs / 1000,
              parts: {
                covers,
                graph_bytes: read.bytes,
                graph_read_s: read.tookMs / 1000,
                first_answer_ms: first.rank.latencyMs.max,
              },
            },
          };
        } finally {
          await served.close();
        }
      },
      close: async () => {},
    } satisfies OpenRow;
  },
};

/** The limit: reading the graph's file once. It also puts the file into the page cache, so that all rounds are alike. */
async function readGraph(folder: string): Promise<{ readonly bytes: number; readonly tookMs: number }> {
  const startedAt = performance.now();
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) break;
      bytes += bytesRead;
    }
    await file.close();
  }
  return { bytes, tookMs: performance.now() - startedAt };
}
