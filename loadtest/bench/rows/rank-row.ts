import { openBundle } from '../../../src/inference/bundle.ts';
import type { RankMeasurements } from '../../recorder.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { OpenRow, Row } from '../row.ts';
import { serve } from '../subjects/served.ts';

const PARAMETERS = { topN: 10, recallK: 100, rerankK: 0, deadlineMs: 10_000 } as const;
const CONNECTIONS = 16;
/** Stages that Server-Timing sums up rather than names. */
const SUM = 'total';

/** `/rank` over HTTP at half of what it can take: how much longer the slowest take than the stages one after the other. */
export const rankRow: Row = {
  name: 'rank',
  figures: [
    {
      id: 'rank-tail',
      title: "/rank without rerank at half of saturation: p99 over the sum of the stages' lone medians",
      unit: 'ratio',
      better: 'lower',
      goal: 1.5,
    },
  ],
  async open(bench) {
    const folder = await bench.bundle('int8');
    const { covers } = bench.settings;
    bench.say(`preparing ${covers} covers`);
    const dataDir = await prepareDataFolder({ cache: bench.cache, bundle: folder, covers, withTokens: 0 });
    const nextQuery = await createQueryTexts(await openBundle(folder), 3);
    const served = await serve({ dataDir, flags: ['--model', folder] }, nextQuery, async (target) => {
      await target.alone(PARAMETERS, 3);
    });
    return {
      async round() {
        const { runs, loadSeconds } = bench.durations;
        const alone = await served.alone(PARAMETERS, runs);
        const saturated = await served.saturated(PARAMETERS, CONNECTIONS, loadSeconds);
        const saturation = saturated.rank.throughputPerSecond;
        const half = await served.atRate(PARAMETERS, { ratePerSecond: saturation / 2, seconds: loadSeconds });
        const stages = loneMedians(alone);
        const sum = Object.values(stages).reduce((total, ms) => total + ms, 0);
        return {
          'rank-tail': {
            value: half.rank.latencyMs.p99 / sum,
            parts: {
              saturation_per_second: saturation,
              p50_ms: half.rank.latencyMs.p50,
              p99_ms: half.rank.latencyMs.p99,
              alone_p50_ms: alone.rank.latencyMs.p50,
              stages_ms: sum,
              ...Object.fromEntries(Object.entries(stages).map(([stage, ms]) => [`${stage}_ms`, ms])),
            },
          },
        };
      },
      close: () => served.close(),
    } satisfies OpenRow;
  },
};

function loneMedians({ kinds }: RankMeasurements): Record<string, number> {
  const stages = Object.entries(kinds['rank-fresh']?.stagesMs ?? {}).filter(([stage]) => stage !== SUM);
  return Object.fromEntries(stages.map(([stage, { p50 }]) => [stage, p50]));
}
