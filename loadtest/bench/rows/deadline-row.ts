import { quantile } from 'simple-statistics';
import { openBundle } from '../../../src/inference/bundle.ts';
import { type RankParameters, rankBody } from '../../mix.ts';
import { runOpenLoop } from '../../open-loop.ts';
import { createRandom } from '../../random.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { Sample } from '../report.ts';
import type { Bench, OpenRow, Row } from '../row.ts';
import type { LoadTarget } from '../subjects/load-target.ts';
import { serve } from '../subjects/served.ts';

const DEADLINES_MS = [50, 100, 200] as const;
/** What the way through HTTP may add. */
const GRACE_MS = 5;
const COVERS = 2_000;
const CONNECTIONS = 4;

/** Whether deadlines hold while queries share the machine: half of what it could rerank arrives, waiting for nobody. */
export const deadlineRow: Row = {
  name: 'deadline',
  figures: DEADLINES_MS.map((deadlineMs) => ({
    id: figureId(deadlineMs),
    title: `answers within ${GRACE_MS} ms of a deadline of ${deadlineMs} ms, reranking asked for`,
    unit: 'share',
    better: 'higher',
    goal: 0.99,
  })),
  async open(bench) {
    const folder = await bench.bundle('int8');
    const covers = Math.min(COVERS, bench.settings.covers);
    const dataDir = await prepareDataFolder({ cache: bench.cache, bundle: folder, covers, withTokens: covers });
    const nextQuery = await createQueryTexts(await openBundle(folder), 6);
    const parameters = { topN: 10, recallK: 100, rerankK: bench.settings.rerankK, deadlineMs: 10_000 };
    let ratePerSecond = 0;
    const served = await serve({ dataDir, flags: ['--model', folder] }, nextQuery, async (target) => {
      const { rank } = await target.saturated(parameters, CONNECTIONS, bench.durations.loadSeconds);
      ratePerSecond = rank.throughputPerSecond / 2;
    });
    return {
      async round(number) {
        const samples: [string, Sample][] = [];
        for (const deadlineMs of DEADLINES_MS) {
          const load = { parameters: { ...parameters, deadlineMs }, ratePerSecond, seed: number + 1 };
          samples.push([figureId(deadlineMs), await shareInTime(bench, served, nextQuery, load)]);
        }
        return Object.fromEntries(samples);
      },
      close: () => served.close(),
    } satisfies OpenRow;
  },
};

function figureId(deadlineMs: number): string {
  return `deadline-${deadlineMs}`;
}

interface Load {
  readonly parameters: RankParameters;
  readonly ratePerSecond: number;
  readonly seed: number;
}

interface RankAnswer {
  readonly degraded: readonly { readonly stage: string; readonly reranked?: number; readonly wanted?: number }[];
}

async function shareInTime(
  { durations }: Bench,
  { client }: LoadTarget,
  nextQuery: () => string,
  { parameters, ratePerSecond, seed }: Load,
): Promise<Sample> {
  const { rerankK, deadlineMs } = parameters;
  const overruns: number[] = [];
  let inTime = 0;
  let refused = 0;
  let reranked = 0;
  const send = async (dueAt: number): Promise<void> => {
    const { status, body } = await client.post('/rank', rankBody(nextQuery(), parameters));
    const overrun = performance.now() - dueAt - deadlineMs;
    overruns.push(overrun);
    if (overrun <= GRACE_MS && status === 200) inTime += 1;
    if (status !== 200) refused += 1;
    else reranked += rerankedCovers(JSON.parse(body) as RankAnswer, rerankK);
  };
  const random = createRandom(seed);
  const seconds = Math.max(durations.loadSeconds, durations.answers / ratePerSecond);
  await runOpenLoop(send, { ratePerSecond, seconds, random });
  const sent = overruns.length;
  if (sent === 0) throw new Error('No request was due in the time of a round.');
  return {
    value: inTime / sent,
    parts: {
      reranked_share: reranked / (sent * rerankK),
      refused_share: refused / sent,
      overrun_p99_ms: quantile(overruns, 0.99),
      offered_per_second: ratePerSecond,
    },
  };
}

function rerankedCovers({ degraded }: RankAnswer, wanted: number): number {
  return degraded.find(({ stage }) => stage === 'rerank')?.reranked ?? wanted;
}
