import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../../src/core/package-root.ts';
import { openBundle } from '../../../src/inference/bundle.ts';
import { type CoverItem, readSampleCovers } from '../../covers.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { OpenRow, Row } from '../row.ts';
import { keepIndexing } from '../subjects/indexing.ts';
import type { Arrivals, LoadTarget } from '../subjects/load-target.ts';
import { lookAtMainThread } from '../subjects/main-thread.ts';
import { serve } from '../subjects/served.ts';

const PARAMETERS = { topN: 10, recallK: 100, rerankK: 0, deadlineMs: 10_000 } as const;
const CONNECTIONS = 16;
/** Percent of what `/rank` can take; the goal is about the one in the middle. */
const LOADS = [50, 70, 90] as const;
const JUDGED: (typeof LOADS)[number] = 70;
const LONE_REQUESTS = 20;

/** What indexing beside them does to the slowest rankings, at several shares of saturation. */
export const tailRow: Row = {
  name: 'tail',
  figures: [
    {
      id: 'tail-indexing',
      title: '/rank at 70 % of saturation: p99 while covers are indexed over p99 without',
      unit: 'ratio',
      better: 'lower',
      goal: 2,
    },
  ],
  async open(bench) {
    const folder = await bench.bundle('int8');
    const { covers } = bench.settings;
    bench.say(`preparing ${covers} covers`);
    const prepared = await prepareDataFolder({ cache: bench.cache, bundle: folder, covers, withTokens: 0 });
    // What is indexed must not stay in the folder that other runs take.
    const dataDir = await mkdtemp(join(bench.cache, 'tail-'));
    await cp(prepared, dataDir, { recursive: true });
    const nextQuery = await createQueryTexts(await openBundle(folder), 5);
    const pictures = await readSampleCovers(join(packageRoot, 'index', 'samples'));
    const removeFolder = () => rm(dataDir, { recursive: true });
    const served = await serve({ dataDir, flags: ['--model', folder] }, nextQuery, async (target) => {
      await target.alone(PARAMETERS, LONE_REQUESTS);
    }).catch(async (error: unknown) => {
      await removeFolder();
      throw error;
    });
    return {
      async round() {
        const { loadSeconds } = bench.durations;
        const saturated = await served.saturated(PARAMETERS, CONNECTIONS, loadSeconds);
        const saturation = saturated.rank.throughputPerSecond;
        const parts: Record<string, number> = { saturation_per_second: saturation };
        for (const percent of LOADS) {
          const rate = (saturation * percent) / 100;
          for (const [name, indexed] of Object.entries({ [`${percent}`]: [], [`${percent}_indexing`]: pictures })) {
            // Refusals would make the judged level's p99 look better than it is; at others they are a figure.
            const arrivals = { ratePerSecond: rate, seconds: loadSeconds, mayRefuse: percent !== JUDGED };
            const level = await measureLevel(served, arrivals, indexed);
            for (const [part, value] of Object.entries(level)) parts[`${part}_at_${name}`] = value;
          }
        }
        const p99Ms = (name: string): number => parts[`p99_ms_at_${name}`] ?? Number.NaN;
        return { 'tail-indexing': { value: p99Ms(`${JUDGED}_indexing`) / p99Ms(`${JUDGED}`), parts } };
      },
      async close() {
        await served.close();
        await removeFolder();
      },
    } satisfies OpenRow;
  },
};

/** Rankings at a rate, beside the indexing of `covers` where there are any. */
async function measureLevel(
  served: LoadTarget,
  arrivals: Arrivals,
  covers: readonly CoverItem[],
): Promise<Record<string, number>> {
  const { seconds } = arrivals;
  const before = await lookAtMainThread(served.client);
  const [{ rank }, pictures] = await Promise.all([
    served.atRate(PARAMETERS, arrivals),
    covers.length === 0 ? 0 : keepIndexing(served.client, covers, seconds),
  ]);
  const after = await lookAtMainThread(served.client);
  const { p50, p90, p99, p999 } = rank.latencyMs;
  return {
    p50_ms: p50,
    p90_ms: p90,
    p99_ms: p99,
    p999_ms: p999,
    event_loop_p99_ms: after.delayMs.p99,
    refused_share: rank.shed / rank.requests,
    gc_ms_per_second: (1000 * (after.gcSeconds - before.gcSeconds)) / seconds,
    ...(covers.length === 0 ? {} : { pictures_per_second: pictures }),
  };
}
