import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { dataDirPaths, openStore } from '../../../src/store/data-dir/data-dir.ts';
import { restoreSnapshot } from '../../../src/store/data-dir/snapshot.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import { BUNDLE, openForTest, recallIds, sampleCovers, TOKENS, temporaryFolder } from '../sample-covers.ts';
import { OLD_COVERS, writeOldDataDir } from './old-data-dir.ts';

function oldFolder(t: TestContext): { folder: string; dataDir: string } {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  writeOldDataDir(dataDir);
  return { folder, dataDir };
}

const COVERS = sampleCovers(60);

test('a data folder of the release before is brought up to date, with everything in it', async (t) => {
  const { dataDir } = oldFolder(t);
  const events: string[] = [];
  const index = await openForTest(t, dataDir, { onEvent: ({ event }) => events.push(event) });
  assert.deepEqual(events, [], 'its graph is used, and what came after it replayed');
  const { covers, sequence, graph } = index.status();
  assert.deepEqual({ covers, sequence, graph: graph.sequence }, { covers: OLD_COVERS, sequence: 72, graph: 72 });
  for (const [i, { id, embedding }] of COVERS.entries()) {
    const cover = index.get(id);
    if (i < 10) {
      assert.equal(cover, undefined);
      continue;
    }
    const isRenamed = i === 59;
    assert.equal(cover?.title, isRenamed ? 'a new title' : `title of ${id}`);
    assert.deepEqual(cover.attributes, isRenamed ? { number: 599 } : { number: i, tags: ['a', `t${i % 3}`] });
    assert.deepEqual(index.thumbnail(id)?.bytes, new Uint8Array(64).fill(i));
    const [tokens] = index.tokens([id]);
    assert.deepEqual([tokens?.values[0], tokens?.scales[TOKENS.count - 1]], [i, i / 8]);
    assert.equal((await recallIds(index, embedding, 1))[0], id);
  }
  assert.equal(index.get('nul\0id')?.title, 'title of nul\0id');
  await index.close();
  const report = await verifyDataDir(dataDir);
  assert.deepEqual([report.problems, report.warnings, report.bundle], [[], [], BUNDLE]);
  assert.ok(!readdirSync(dataDir).some((name) => name.includes('.next')), 'nothing is left of the upgrade');
});

test('an upgrade that was killed begins again', async (t) => {
  const { dataDir } = oldFolder(t);
  writeFileSync(join(dataDir, 'covers.lmdb.next'), 'half of it');
  const paths = dataDirPaths(dataDir);
  for (let start = 0; start < 2; start++) {
    const store = await openStore(paths);
    assert.equal(store.counts().covers, OLD_COVERS);
    await store.close();
  }
  assert.ok(!existsSync(join(dataDir, 'covers.lmdb.next')));
});

test('a snapshot of the release before is restored', async (t) => {
  const { folder, dataDir } = oldFolder(t);
  const files = Object.fromEntries(
    ['covers.lmdb', ...readdirSync(join(dataDir, 'graph')).map((name) => `graph/${name}`)].map((file) => {
      const bytes = readFileSync(join(dataDir, file));
      return [file, { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }];
    }),
  );
  const info = { name: 'old', sequence: 72, covers: 51, bytes: 0, createdAt: '2026-01-01T00:00:00.000Z' };
  writeFileSync(join(dataDir, 'snapshot.json'), JSON.stringify({ ...info, format: 1, bundle: BUNDLE, files }));
  const restored = join(folder, 'restored');
  assert.deepEqual(await restoreSnapshot(dataDir, restored), info);
  assert.equal((await openForTest(t, restored)).status().covers, OLD_COVERS);
});
