import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, type Random } from '../../../loadtest/random.ts';
import { compareService, type Query } from './compare.ts';
import { createDiskChecks } from './disk-checks.ts';
import { type PlannedKill, planKills } from './kill-plan.ts';
import { createOracle, type Oracle } from './oracle.ts';
import { postJson, type ServiceProcess, startService } from './service-process.ts';
import { countKill, type Tally } from './tally.ts';
import { noWork, takeSnapshot, type Work, workUntilGone, write } from './workload.ts';

export interface LaneOptions {
  /** Of this lane; lanes begin with different kills. */
  readonly number: number;
  readonly folder: string;
  readonly cycles: number;
  readonly seed: number;
  readonly covers: number;
  readonly embeddingDim: number;
  /** Milliseconds that a service lives at most which is killed at random. */
  readonly longestLifeMs: number;
}

/** A life that is to end at a step ends there, however long that takes on a busy machine. */
const STEP_PATIENCE_MS = 60_000;
/** Between the first commands that two lanes kill, so that even short lanes kill each of them. */
const KILLS_APART = 2;
const SHORTEST_LIFE_MS = 20;
const MAX_FAILED_STARTS = 20;
const SEED_BATCH = 250;
const TEXTS = ['猫', '红烧肉 做法', 'funny cat', '篮球比赛'];
/** Saves and rebuilds come every few dozen writes, so that a short life holds some. */
const FLAGS = [
  ['--index-snapshot-every-writes', '25'],
  ['--index-rebuild-tombstones', '50'],
  ['--index-rebuild-share', '0.02'],
  ['--threads-text', '1'],
  ['--threads-image', '1'],
  ['--threads-rerank', '1'],
  ['--limits-index-concurrency', '8'],
].flat();

/** One data folder through many lives of the service, each of which ends in a kill. */
export async function runLane(options: LaneOptions, tally: Tally): Promise<void> {
  const { number, folder, cycles, seed, embeddingDim } = options;
  const random = createRandom(seed);
  const oracle = createOracle(options.covers, embeddingDim, seed);
  const dataDir = join(folder, 'data');
  const disk = createDiskChecks({ dataDir, oracle, folder, firstKill: KILLS_APART * number, tally });
  const plan = planKills(random);
  let kill = plan.next().value;
  let query: Query | undefined;
  let failedStarts = 0;
  let isSeeded = false;
  for (let cycle = 0; cycle < cycles; ) {
    const service = await startService(dataDir, FLAGS, kill.at === 'random' ? undefined : `${kill.at}:${kill.times}`);
    if (service.url === undefined) {
      const ended = await service.ended;
      // On a machine that is busy with other things a phase of the start may take too long.
      if (ended !== 'SIGKILL') {
        if (++failedStarts > MAX_FAILED_STARTS) throw new Error(`the service ended with ${ended} in cycle ${cycle}`);
        continue;
      }
      // A start saves and trims too, and may come to its step before it is ready.
      countKill(tally, kill.at);
    } else {
      query ??= await embed(service.url, TEXTS[0] ?? '');
      const work = await live(service, oracle, random, query, kill, isSeeded, options, tally);
      isSeeded = true;
      await disk.check(query, work);
    }
    kill = plan.next().value;
    cycle += 1;
    tally.cycles += 1;
  }
  const last = await startService(dataDir, FLAGS, undefined);
  if (last.url === undefined || query === undefined) throw new Error('the service does not start any more');
  await compareService(last.url, oracle, query, tally);
  last.child.kill('SIGTERM');
  if ((await last.ended) !== '0') tally.faults.push('the last service did not end in order');
}

async function embed(url: string, text: string): Promise<Query> {
  const { body } = await postJson(url, '/embed', { texts: [text] });
  return { text, embedding: Float32Array.from((body as { embeddings: number[][] }).embeddings[0] ?? []) };
}

/** Compares, works, and ends the service. */
async function live(
  service: ServiceProcess,
  oracle: Oracle,
  random: Random,
  query: Query,
  kill: PlannedKill,
  isSeeded: boolean,
  { longestLifeMs }: LaneOptions,
  tally: Tally,
): Promise<Work> {
  const { url, child, ended } = service;
  const work = noWork();
  try {
    if (isSeeded) await compareService(url, oracle, query, tally);
    else await seedCovers(url, oracle, work);
  } catch (error) {
    // The step came while it was compared.
    if (child.signalCode === null && (await Promise.race([ended, delay(5_000)])) !== 'SIGKILL') throw error;
  }
  const lifeMs = kill.at === 'random' ? SHORTEST_LIFE_MS + random() ** 2 * longestLifeMs : STEP_PATIENCE_MS;
  const timer = setTimeout(() => {
    if (kill.at !== 'random') tally.faults.push(`in ${lifeMs} ms the service did not come to "${kill.at}"`);
    child.kill('SIGKILL');
  }, lifeMs);
  await workUntilGone(url, oracle, random, TEXTS, work);
  clearTimeout(timer);
  if ((await ended) !== 'SIGKILL') tally.faults.push(`the service ended with ${await ended}`);
  countKill(tally, kill.at);
  tally.writes += work.writes;
  tally.searches += work.searches;
  tally.snapshots += work.snapshots.length;
  tally.rebuilds += service.events.filter((event) => event === 'graph_rebuilt').length;
  tally.back += work.goneInAnswers;
  tally.faults.push(...work.surprises);
  return work;
}

async function seedCovers(url: string, oracle: Oracle, work: Work): Promise<void> {
  for (let start = 0; start < oracle.ids.length; start += SEED_BATCH) {
    await write(url, oracle, oracle.ids.slice(start, start + SEED_BATCH), () => false, work);
  }
  await takeSnapshot(url, oracle, work);
}
