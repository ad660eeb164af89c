import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultConfig } from '../../../src/config.ts';
import { readManifest } from '../../../src/inference/bundle.ts';
import { runLane } from './run-lane.ts';
import { createTally, type Tally } from './tally.ts';

export interface CrashOptions {
  readonly cycles: number;
  readonly seed: number;
  /** Data folders that are worked on side by side. */
  readonly lanes: number;
  readonly longestLifeMs: number;
  onProgress?(tally: Tally): void;
}

/** Above the number of covers that are searched exactly, so that the graph answers. */
const COVERS = 1_800;
const PROGRESS_MS = 10_000;

export async function runCrashes({ cycles, seed, lanes, longestLifeMs, onProgress }: CrashOptions): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-crash-'));
  const tally = createTally();
  const progress = setInterval(() => onProgress?.(tally), PROGRESS_MS);
  const embeddingDim = readManifest(defaultConfig({}).model).embedding_dim;
  try {
    const lane = (number: number): Promise<void> =>
      runLane(
        {
          number,
          folder: join(folder, String(number)),
          cycles: Math.ceil((cycles - number) / lanes),
          seed: seed * 100 + number,
          covers: COVERS,
          embeddingDim,
          longestLifeMs,
        },
        tally,
      );
    await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  } finally {
    clearInterval(progress);
    rmSync(folder, { recursive: true, force: true });
  }
  return tally;
}
