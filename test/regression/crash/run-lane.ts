import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom, type Random } from '../../../loadtest/random.ts';
import { dot } from '../../../src/core/dot.ts';
import type { CoverStore } from '../../../src/store/cover-store.ts';
import { dataDirPaths, openStore } from '../../../src/store/data-dir.ts';
import type { DurableStep } from '../../../src/store/durable-steps.ts';
import { restoreSnapshot } from '../../../src/store/snapshot.ts';
import { verifyDataDir } from '../../../src/store/verify.ts';
import { compareService, judgeAll, type Query } from './compare.ts';
import { createOracle, type Observed, type Oracle } from './oracle.ts';
import { postJson, type ServiceProcess, startProcess, startService } from './service-process.ts';
import type { Tally } from './tally.ts';
import { type Work, workUntilGone, write } from './workload.ts';

export interface LaneOptions {
  readonly folder: string;
  readonly cycles: number;
  readonly seed: number;
  readonly covers: number;
  readonly embeddingDim: number;
  /** Milliseconds that a service lives at most which is killed at random. One that is to come to a step gets longer. */
  readonly longestLifeMs: number;
}

/** How a cycle ends: at a step of the service or of a restore, or at any moment. */
const SERVICE_STEPS: readonly DurableStep[] = [
  'writes committed',
  'graph written',
  'graph renamed',
  'graph replaced',
  'log trimmed',
  'graph rebuilt',
  'snapshot copied',
  'snapshot complete',
  'snapshot named',
];
const RESTORE_STEPS: readonly DurableStep[] = ['restore copied', 'restore complete'];
const RANDOM_SHARE = 0.4;
/** After so many times the longest random life a service that did not come to its step is killed all the same. */
const STEP_PATIENCE = 4;
const SHORTEST_LIFE_MS = 20;
const VERIFY_EVERY = 4;
const MAX_FAILED_STARTS = 20;
const RESTORE_KILL_EVERY = 10;
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
  const { folder, cycles, seed, embeddingDim, longestLifeMs } = options;
  const random = createRandom(seed);
  const oracle = createOracle(options.covers, embeddingDim, seed);
  const dataDir = join(folder, 'data');
  let query: Query | undefined;
  let failedStarts = 0;
  for (let cycle = 0; cycle < cycles; cycle++) {
    const killAt = drawStep(random);
    const service = await startService(
      dataDir,
      FLAGS,
      killAt === undefined ? undefined : `${killAt}:${1 + Math.floor(random() ** 2 * 3)}`,
    );
    if (service.url === undefined) {
      const ended = await service.ended;
      // A start saves and trims too, and may come to its step before it is ready.
      if (ended === 'SIGKILL') countKill(tally, killAt ?? 'at random');
      // On a machine that is busy with other things a phase of the start may take too long.
      else if (++failedStarts > MAX_FAILED_STARTS) throw new Error(`the service ended with ${ended} in cycle ${cycle}`);
      tally.cycles += Number(ended === 'SIGKILL');
      continue;
    }
    query ??= await embed(service.url, TEXTS[0] ?? '');
    const work = await live(service, oracle, random, query, killAt, { isFirst: cycle === 0, longestLifeMs }, tally);
    await afterKill(dataDir, oracle, query, work, cycle, folder, tally);
    tally.cycles += 1;
  }
  const last = await startService(dataDir, FLAGS, undefined);
  if (last.url === undefined || query === undefined) throw new Error('the service does not start any more');
  await compareService(last.url, oracle, query, tally);
  last.child.kill('SIGTERM');
  if ((await last.ended) !== '0') tally.faults.push('the last service did not end in order');
}

function countKill(tally: Tally, step: string): void {
  tally.kills.set(step, 1 + (tally.kills.get(step) ?? 0));
}

function drawStep(random: Random): DurableStep | undefined {
  return random() < RANDOM_SHARE ? undefined : SERVICE_STEPS[Math.floor(random() * SERVICE_STEPS.length)];
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
  killAt: DurableStep | undefined,
  { isFirst, longestLifeMs }: { readonly isFirst: boolean; readonly longestLifeMs: number },
  tally: Tally,
): Promise<Work> {
  const { url, child, ended } = service;
  const seeded: Work = { writes: 0, searches: 0, goneInAnswers: 0, surprises: [], snapshots: [] };
  try {
    if (isFirst) await seedCovers(url, oracle, seeded);
    else await compareService(url, oracle, query, tally);
  } catch (error) {
    // The step came while it was compared.
    if (child.signalCode === null && (await Promise.race([ended, delay(5_000)])) !== 'SIGKILL') throw error;
  }
  const lifeMs =
    killAt === undefined ? SHORTEST_LIFE_MS + random() ** 2 * longestLifeMs : STEP_PATIENCE * longestLifeMs;
  let step: string = killAt ?? 'at random';
  const timer = setTimeout(() => {
    step = 'at random';
    child.kill('SIGKILL');
  }, lifeMs);
  const work = await workUntilGone(url, oracle, random, TEXTS);
  clearTimeout(timer);
  if ((await ended) !== 'SIGKILL') tally.faults.push(`the service ended with ${await ended}`);
  countKill(tally, step);
  tally.writes += seeded.writes + work.writes;
  tally.searches += work.searches;
  tally.snapshots += work.snapshots.length;
  tally.rebuilds += service.events.filter((event) => event === 'graph_rebuilt').length;
  tally.back += work.goneInAnswers;
  tally.faults.push(...seeded.surprises, ...work.surprises);
  return work;
}

async function seedCovers(url: string, oracle: Oracle, work: Work): Promise<void> {
  for (let start = 0; start < oracle.ids.length; start += SEED_BATCH) {
    await write(url, oracle, oracle.ids.slice(start, start + SEED_BATCH), () => false, work);
  }
}

/** What lies on disk while no process has it open. */
async function afterKill(
  dataDir: string,
  oracle: Oracle,
  query: Query,
  { snapshots }: Work,
  cycle: number,
  folder: string,
  tally: Tally,
): Promise<void> {
  const restored = join(folder, 'restored');
  const root = dataDirPaths(dataDir).snapshots;
  const names = existsSync(root) ? readdirSync(root).filter((name) => !name.startsWith('unfinished-')) : [];
  for (const name of names) {
    rmSync(restored, { recursive: true, force: true });
    if (cycle % RESTORE_KILL_EVERY === 0) await killRestore(join(root, name), restored, cycle, tally);
    await restoreSnapshot(join(root, name), restored);
    const taken = snapshots.find((snapshot) => snapshot.name === name);
    // One that was not acknowledged must be whole as well; what it holds is nobody's promise.
    if (taken !== undefined)
      judgeAll(oracle, await observeFolder(restored, query), taken.before, query, tally, 'in a snapshot');
    tally.restores += 1;
    rmSync(join(root, name), { recursive: true });
  }
  for (const { name } of snapshots) if (!names.includes(name)) tally.faults.push(`the snapshot ${name} is gone`);
  if (cycle % VERIFY_EVERY !== 0) return;
  const { problems } = await verifyDataDir(dataDir);
  tally.faults.push(...problems.map((problem) => `verify, cycle ${cycle}: ${problem}`));
}

async function observeFolder(dataDir: string, query: Query): Promise<Map<string, Observed>> {
  const store: CoverStore = await openStore(dataDirPaths(dataDir));
  try {
    const observed = new Map<string, Observed>();
    for (const { id, title, attributes, label } of store.allCovers()) {
      const embedding = store.embedding(label);
      const cosine = embedding === undefined ? Number.NaN : dot(query.embedding, embedding);
      observed.set(id, { title, version: attributes['version'], cosine });
    }
    return observed;
  } finally {
    await store.close();
  }
}

/** A restore that is killed leaves no folder, or a whole one. */
async function killRestore(snapshot: string, target: string, cycle: number, tally: Tally): Promise<void> {
  const step = RESTORE_STEPS[(cycle / RESTORE_KILL_EVERY) % RESTORE_STEPS.length] ?? 'restore copied';
  const { ended, child } = startProcess(['restore', snapshot, '--data-dir', target], `${step}:1`);
  child.stdout?.resume();
  if ((await ended) !== 'SIGKILL') tally.faults.push(`the restore was not killed at "${step}"`);
  countKill(tally, step);
  if (existsSync(target)) tally.faults.push(`a restore killed at "${step}" left a folder`);
}
