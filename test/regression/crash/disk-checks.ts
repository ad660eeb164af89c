import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dot } from '../../../src/core/dot.ts';
import { dataDirPaths, openStore } from '../../../src/store/data-dir/data-dir.ts';
import { restoreSnapshot } from '../../../src/store/data-dir/snapshot.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import type { DurableStep } from '../../../src/store/disk/durable-steps.ts';
import { OLD_COVERS, writeOldDataDir } from '../../store/data-dir/old-data-dir.ts';
import { judgeAll, type Query } from './compare.ts';
import { COMMAND_STEPS } from './kill-plan.ts';
import type { Observed, Oracle } from './oracle.ts';
import { startProcess } from './service-process.ts';
import { countKill, type Tally } from './tally.ts';
import type { Work } from './workload.ts';

export interface DiskChecksOptions {
  readonly dataDir: string;
  readonly oracle: Oracle;
  /** For what is restored and upgraded. */
  readonly folder: string;
  /** Which of the commands' steps is the first to be killed at. */
  readonly firstKill: number;
  readonly tally: Tally;
}

export interface DiskChecks {
  /** Looks at what lies on disk after a kill, while no process has it open. The first work must have a snapshot. */
  check(query: Query, work: Work): Promise<void>;
}

/** Every so many checks the folder is verified, and a command killed. */
const EVERY = 4;

export function createDiskChecks({ dataDir, oracle, folder, firstKill, tally }: DiskChecksOptions): DiskChecks {
  const kept = join(folder, 'kept');
  let kills = firstKill;
  let checks = 0;

  async function checkSnapshots(query: Query, { snapshots }: Work): Promise<void> {
    const root = dataDirPaths(dataDir).snapshots;
    const names = existsSync(root) ? readdirSync(root).filter((name) => !name.startsWith('unfinished-')) : [];
    for (const name of names) {
      const snapshot = join(root, name);
      const restored = emptied(join(folder, 'restored'));
      await restoreSnapshot(snapshot, restored);
      const taken = snapshots.find((one) => one.name === name);
      // One that was not acknowledged must be whole as well; what it holds is nobody's promise.
      if (taken !== undefined)
        judgeAll(oracle, await observeFolder(restored, query), taken.before, query, tally, 'in a snapshot');
      tally.restores += 1;
      renameSync(snapshot, emptied(kept));
    }
    for (const { name } of snapshots) if (!names.includes(name)) tally.faults.push(`the snapshot ${name} is gone`);
  }

  async function killCommand(step: (typeof COMMAND_STEPS)[number] | undefined): Promise<void> {
    if (step === undefined) return;
    if (step === 'migration complete') await killMigration(emptied(join(folder, 'old')), tally);
    else if (step === 'closed mark left' || step === 'closed mark taken') await killRebuild(step, dataDir, tally);
    else await killRestore(step, kept, emptied(join(folder, 'restored')), tally);
  }

  return {
    async check(query, work) {
      await checkSnapshots(query, work);
      if (checks++ % EVERY !== 0) return;
      await killCommand(COMMAND_STEPS[kills++ % COMMAND_STEPS.length]);
      const { problems } = await verifyDataDir(dataDir);
      tally.faults.push(...problems.map((problem) => `verify, check ${checks}: ${problem}`));
    },
  };
}

function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  return folder;
}

async function observeFolder(dataDir: string, query: Query): Promise<Map<string, Observed>> {
  const store = await openStore(dataDirPaths(dataDir));
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
async function killRestore(step: DurableStep, snapshot: string, target: string, tally: Tally): Promise<void> {
  await runUntilKilled(['restore', snapshot, '--data-dir', target], step, tally);
  if (existsSync(target)) tally.faults.push(`a restore killed at "${step}" left a folder`);
}

/** An upgrade of a data folder that is killed leaves the old one, and the next start makes it again. */
async function killMigration(dataDir: string, tally: Tally): Promise<void> {
  writeOldDataDir(dataDir);
  await runUntilKilled(['verify', '--data-dir', dataDir], 'migration complete', tally);
  const { covers, problems } = await verifyDataDir(dataDir);
  if (covers !== OLD_COVERS || problems.length > 0) {
    tally.faults.push(`an upgrade that was killed left ${covers} of ${OLD_COVERS} covers: ${problems.join(' ')}`);
  }
}

/** A command on the service's own folder, whose next life finds what the end of the command, or its start, left. */
async function killRebuild(step: DurableStep, dataDir: string, tally: Tally): Promise<void> {
  const rebuild = ['rebuild', '--data-dir', dataDir];
  if (step === 'closed mark taken') {
    const { ended, child } = startProcess(rebuild, undefined);
    child.stdout?.resume();
    if ((await ended) !== '0') tally.faults.push('a rebuild did not end in order');
  }
  await runUntilKilled(rebuild, step, tally);
  if (existsSync(dataDirPaths(dataDir).closed) !== (step === 'closed mark left')) {
    tally.faults.push(`a rebuild killed at "${step}" left the wrong mark`);
  }
}

async function runUntilKilled(args: readonly string[], step: DurableStep, tally: Tally): Promise<void> {
  const { ended, child } = startProcess(args, `${step}:1`);
  child.stdout?.resume();
  if ((await ended) !== 'SIGKILL') tally.faults.push(`${args[0]} was not killed at "${step}"`);
  countKill(tally, step);
}
