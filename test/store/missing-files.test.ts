import assert from 'node:assert/strict';
import { cpSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { verifyDataDir } from '../../src/store/data-dir/verify.ts';
import type { CoverIndexEvent } from '../../src/store/graph/graph-client.ts';
import {
  openSample,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  temporaryFolder,
  writeAll,
} from './sample-covers.ts';

const COVERS = sampleCovers(40);
const QUERY = randomEmbedding(randomNumbers(3));

/** What may have become of a file. */
const FATES = {
  whole: () => {},
  missing: (file: string) => rmSync(file),
  empty: (file: string) => truncateSync(file, 0),
  halved: (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2)),
} as const;
type Fate = keyof typeof FATES;
const ALL = Object.keys(FATES) as Fate[];

test('files of the folder missing, emptied or cut off, in all combinations: mended or refused, never fewer covers', async (t) => {
  const folder = temporaryFolder(t);
  const saved = join(folder, 'saved');
  const index = await openSample(saved);
  await writeAll(index, COVERS);
  const answer = await recallIds(index, QUERY, 10);
  await index.close();
  const graph = readdirSync(join(saved, 'graph')).find((name) => name.endsWith('.bin')) ?? '';
  const dataDir = join(folder, 'data');
  const combinations = ALL.flatMap((store) => ALL.flatMap((manifest) => ALL.map((bin) => ({ store, manifest, bin }))));

  for (const { store, manifest, bin } of combinations) {
    const name = `store ${store}, manifest ${manifest}, graph ${bin}`;
    rmSync(dataDir, { recursive: true, force: true });
    cpSync(saved, dataDir, { recursive: true });
    FATES[store](join(dataDir, 'covers.lmdb'));
    FATES[manifest](join(dataDir, 'graph', 'manifest.json'));
    FATES[bin](join(dataDir, 'graph', graph));
    const nothingLeft = (store === 'missing' || store === 'empty') && manifest === 'missing' && bin === 'missing';
    if (store === 'whole' || nothingLeft) {
      const events: CoverIndexEvent['event'][] = [];
      const opened = await openSample(dataDir, { onEvent: ({ event }) => events.push(event) });
      assert.deepEqual(await recallIds(opened, QUERY, 10), nothingLeft ? [] : answer, name);
      const whole = manifest === 'whole' && bin === 'whole';
      assert.deepEqual(events, whole || nothingLeft ? [] : ['graph_rebuilt'], name);
      await opened.close();
    } else {
      await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'corrupt_data'), name);
      await assert.rejects(verifyDataDir(dataDir), (error) => isFailure(error, 'corrupt_data'), name);
    }
  }
});

test('a lock file of garbage, or none, is of no consequence', async (t) => {
  const dataDir = temporaryFolder(t);
  const lock = join(dataDir, 'covers.lmdb-lock');
  const damages = [() => {}, () => writeFileSync(lock, 'garbage'.repeat(3_000)), () => rmSync(lock)];
  for (const damage of damages) {
    damage();
    const index = await openSample(dataDir);
    await writeAll(index, COVERS);
    assert.equal(index.status().covers, COVERS.length);
    await index.close();
  }
});
