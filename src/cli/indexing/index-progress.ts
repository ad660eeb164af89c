import { accessSync, constants } from 'node:fs';
import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

/** How far a job came, so that the next run goes on from there. */
export interface IndexProgress {
  readonly rejectedFile: string;
  /** Items that an earlier run of this job has finished; 0 for a fresh start. */
  readonly resumeFrom: number;
  /** Rows in the file of rejected items: those of this run, and of the earlier ones that it goes on from. */
  rejected(): number;
  /** Adds to the file of rejected items. */
  reject(rows: readonly RejectedRow[]): Promise<void>;
  /** All items before this position are done. */
  save(position: number): Promise<void>;
  /** The job is through: the next run starts from the beginning. */
  finish(): Promise<void>;
}

export interface RejectedRow {
  readonly item: unknown;
  readonly error: { readonly code: string; readonly detail: string; readonly retryable: boolean };
}

interface State {
  readonly fingerprint: string;
  readonly target: string;
  readonly done: number;
  /** Of the items that are done; earlier versions did not keep it. */
  readonly rejected?: number;
}

/**
 * Keeps `SOURCE.progress.json` and `SOURCE.rejected.ndjson` beside the source, or in the working folder where that
 * cannot be written. Progress counts only for the same source and the same target.
 */
export async function openIndexProgress(
  source: string,
  job: { readonly fingerprint: string; readonly target: string; readonly fresh: boolean },
): Promise<IndexProgress> {
  const base = writableBase(source);
  const stateFile = `${base}.progress.json`;
  const rejectedFile = `${base}.rejected.ndjson`;
  const { fingerprint, target } = job;
  const state = job.fresh ? undefined : await readState(stateFile);
  const isOfThisJob = state?.fingerprint === fingerprint && state.target === target;
  const resumeFrom = isOfThisJob ? state.done : 0;
  let rejected = resumeFrom === 0 ? 0 : (state?.rejected ?? (await countRows(rejectedFile)));
  // When the source is itself a file of rejected items, its own rejects have another name.
  if (resumeFrom === 0) await rm(rejectedFile, { force: true });

  return {
    rejectedFile,
    resumeFrom,
    rejected: () => rejected,
    async reject(rows) {
      if (rows.length === 0) return;
      await appendFile(rejectedFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      rejected += rows.length;
    },
    async save(done) {
      const next: State = { fingerprint, target, done, rejected };
      await writeFile(`${stateFile}.new`, JSON.stringify(next));
      await rename(`${stateFile}.new`, stateFile);
    },
    async finish() {
      await rm(stateFile, { force: true });
    },
  };
}

function writableBase(source: string): string {
  const path = resolve(source);
  try {
    accessSync(dirname(path), constants.W_OK);
    return path;
  } catch {
    return resolve(basename(path));
  }
}

async function readState(file: string): Promise<State | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as State;
  } catch {
    return undefined;
  }
}

async function countRows(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '').length;
}
