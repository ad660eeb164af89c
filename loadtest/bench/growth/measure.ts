import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import type { UniclipSizes } from '../../../src/convert/architectures/uniclip-sizes.ts';
import { type Bundle, openBundle } from '../../../src/inference/bundle.ts';
import { dataDirPaths } from '../../../src/store/data-dir/data-dir.ts';
import type { RankParameters } from '../../mix.ts';
import { prepareDataFolder } from '../prepared/data-folder.ts';
import { createQueryTexts } from '../query-texts.ts';
import type { Durations } from '../settings.ts';
import type { LoadTarget } from '../subjects/load-target.ts';
import { serve } from '../subjects/served.ts';
import { semanticPairOperations, towerOperations } from './computed.ts';
import { measureGraph } from './graph.ts';
import type { GrowthAxis, GrowthPoint } from './report.ts';

export interface GrowthPlan {
  readonly cache: string;
  /** Folder of the bundle. */
  readonly bundle: string;
  readonly rounds: number;
  readonly durations: Durations;
  readonly steps: Readonly<Record<GrowthAxis, readonly number[]>>;
  /** The model's, which say how many operations a text or a pair takes. */
  readonly sizes: UniclipSizes;
  /** Covers with image tokens of the axes other than `covers`. */
  readonly covers: number;
  say(what: string): void;
}

type Figures = Readonly<Record<string, number>>;

const RECALL: RankParameters = { topN: 10, recallK: 100, rerankK: 0, deadlineMs: 60_000 };
const CONNECTIONS = 8;
/** [CLS] and [SEP]. */
const MARKS = 2;

/** Makes one thing larger at a time and measures what it costs. */
export async function measureGrowth(plan: GrowthPlan): Promise<Record<GrowthAxis, readonly GrowthPoint[]>> {
  const covers: GrowthPoint[] = [];
  for (const at of plan.steps.covers) covers.push({ at, figures: await costOfCovers(plan, at) });
  return { covers, ...(await costOfRequests(plan)) };
}

async function costOfCovers(plan: GrowthPlan, covers: number): Promise<Figures> {
  plan.say(`${covers} covers`);
  const dataDir = await prepareDataFolder({ ...plan, covers, withTokens: 0 });
  const nextQuery = await createQueryTexts(await openBundle(plan.bundle), 8);
  const startedAt = performance.now();
  const target = await serve({ dataDir, flags: ['--model', plan.bundle] }, nextQuery);
  const startMs = performance.now() - startedAt;
  let served: Figures;
  try {
    const figures = await overRounds(plan, async () => {
      const alone = await target.alone(RECALL, plan.durations.runs);
      const saturated = await target.saturated(RECALL, CONNECTIONS, plan.durations.loadSeconds);
      return {
        alone_p50_ms: alone.rank.latencyMs.p50,
        recall_p50_ms: alone.kinds['rank-fresh']?.stagesMs['recall']?.p50 ?? Number.NaN,
        saturated_per_second: saturated.rank.throughputPerSecond,
        saturated_p99_ms: saturated.rank.latencyMs.p99,
      };
    });
    served = { ...figures, ...(await sizesOf(dataDir, target)), start_s: startMs / 1000 };
  } finally {
    await target.close();
  }
  return { ...served, ...(await measureGraph(dataDir, covers)) };
}

/** The other axes share one service, whose covers have image tokens. */
async function costOfRequests(plan: GrowthPlan) {
  const { covers, steps, durations, sizes } = plan;
  const dataDir = await prepareDataFolder({ ...plan, covers, withTokens: covers });
  const bundle = await openBundle(plan.bundle);
  let characters = 10;
  const sources = new Map<number, () => string>();
  for (const length of [characters, ...steps.queryCharacters]) {
    sources.set(length, await createQueryTexts(bundle, 9, length));
  }
  const nextQuery = (): string => (sources.get(characters) as () => string)();
  const target = await serve({ dataDir, flags: ['--model', plan.bundle] }, nextQuery);
  const points = async (axis: GrowthAxis, measure: (at: number) => Promise<Figures>): Promise<GrowthPoint[]> => {
    const measured: GrowthPoint[] = [];
    for (const at of steps[axis]) {
      plan.say(`${axis} ${at}`);
      measured.push({ at, figures: await overRounds(plan, () => measure(at)) });
    }
    return measured;
  };
  try {
    const rerankK = await points('rerankK', async (at) => {
      const parameters = { ...RECALL, recallK: Math.max(RECALL.recallK, at), rerankK: at };
      const { rank } = await target.alone(parameters, Math.ceil(durations.runs / 4));
      const pairsPerSecond = (1000 * at) / rank.latencyMs.p50;
      return {
        alone_p50_ms: rank.latencyMs.p50,
        pairs_per_second: pairsPerSecond,
        giga_operations_per_second: (pairsPerSecond * pairOperations(bundle, sizes)) / 1e9,
      };
    });
    const queryCharacters = await points('queryCharacters', async (at) => {
      characters = at;
      const { rank, kinds } = await target.alone(RECALL, durations.runs);
      const embedMs = kinds['rank-fresh']?.stagesMs['embed']?.p50 ?? Number.NaN;
      return {
        alone_p50_ms: rank.latencyMs.p50,
        embed_p50_ms: embedMs,
        giga_operations_per_second: towerOperations(sizes.text, at + MARKS) / (1e6 * embedMs),
      };
    });
    characters = 10;
    const connections = await points('connections', async (at) => {
      const { rank } = await target.saturated(RECALL, at, durations.loadSeconds);
      return { per_second: rank.throughputPerSecond, p50_ms: rank.latencyMs.p50, p99_ms: rank.latencyMs.p99 };
    });
    return { rerankK, queryCharacters, connections };
  } finally {
    await target.close();
  }
}

function pairOperations({ manifest }: Bundle, { semantic, vision }: UniclipSizes): number {
  const { tokens, rerank } = manifest;
  if (tokens === null || rerank === null || semantic === null) throw new Error('The bundle has no reranker.');
  return semanticPairOperations({ ...semantic, width: vision.width }, rerank.context_length, tokens.count);
}

async function overRounds({ rounds }: GrowthPlan, measure: () => Promise<Figures>): Promise<Figures> {
  const measured: Figures[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await measure());
  const names = Object.keys(measured[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(measured.map((figures) => figures[name] as number))]));
}

async function sizesOf(dataDir: string, { client }: LoadTarget): Promise<Figures> {
  const { store, graph } = dataDirPaths(dataDir);
  let graphBytes = 0;
  for (const name of await readdir(graph)) graphBytes += (await stat(join(graph, name))).size;
  const { body } = await client.get('/metrics');
  const resident = /^(?:coverrank_)?process_resident_memory_bytes (\S+)/m.exec(body)?.[1];
  return {
    store_bytes: (await stat(store)).size,
    graph_bytes: graphBytes,
    resident_bytes: Number(resident ?? Number.NaN),
  };
}
