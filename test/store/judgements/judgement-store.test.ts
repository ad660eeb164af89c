import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { isFailure } from '../../../src/core/errors.ts';
import type { Grade } from '../../../src/core/types.ts';
import { restoreSnapshot } from '../../../src/store/data-dir/snapshot.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import { openJudgementStore } from '../../../src/store/judgements/judgement-store.ts';
import { openForTest, openSample, temporaryFolder } from '../sample-covers.ts';

function openAt(t: TestContext, path: string) {
  const store = openJudgementStore(path);
  t.after(() => store.close());
  return store;
}

const judged = (query: string, id: string, grade: Grade) => ({ query, id, grade });

test('judgements are kept by query and cover, and survive a restart', async (t) => {
  const path = join(temporaryFolder(t), 'judgements.lmdb');
  const first = openJudgementStore(path);
  const made = await first.put([judged('猫', 'b', 2), judged('猫', 'a', 0), judged('dog', 'a', 1)]);
  assert.deepEqual(made, { created: 3, updated: 0, unchanged: 0 });
  await first.close();

  const store = openAt(t, path);
  const changed = await store.put([judged('猫', 'a', 1), judged('dog', 'a', 1), judged('鱼', 'a', 2)]);
  assert.deepEqual(changed, { created: 1, updated: 1, unchanged: 1 });
  assert.deepEqual(
    [...store.list()].map(({ topic, query, id, grade }) => [topic, query, id, grade]),
    [
      [1, '猫', 'a', 1],
      [1, '猫', 'b', 2],
      [2, 'dog', 'a', 1],
      [3, '鱼', 'a', 2],
    ],
  );
  assert.deepEqual(
    [...store.list('猫')].map(({ id }) => id),
    ['a', 'b'],
  );
  assert.deepEqual([...store.list('nobody asked this')], []);
  assert.deepEqual(store.counts(), { judgements: 4, queries: 3 });
});

test('judgements that another thread packed are written as any others', async (t) => {
  const store = openAt(t, join(temporaryFolder(t), 'judgements.lmdb'));
  await store.put([judged('猫', 'a', 2)]);
  const packed = new TextEncoder().encode(JSON.stringify([judged('猫', 'a', 1), judged('dog', 'b', 0)]));
  assert.deepEqual(await store.putPacked(packed), { created: 1, updated: 1, unchanged: 0 });
  assert.deepEqual(
    [...store.list()].map(({ query, id, grade }) => [query, id, grade]),
    [
      ['猫', 'a', 1],
      ['dog', 'b', 0],
    ],
  );
});

test('a judgement can be taken back; its query keeps its topic', async (t) => {
  const store = openAt(t, join(temporaryFolder(t), 'judgements.lmdb'));
  await store.put([judged('猫', 'a', 2), judged('dog', 'a', 2)]);
  assert.equal(await store.remove('猫', 'a'), true);
  assert.equal(await store.remove('猫', 'a'), false);
  assert.equal(await store.remove('never', 'a'), false);
  await store.put([judged('fish', 'a', 2), judged('猫', 'z', 1)]);
  assert.deepEqual(
    [...store.queries()],
    [
      { topic: 1, query: '猫' },
      { topic: 2, query: 'dog' },
      { topic: 3, query: 'fish' },
    ],
  );
});

test('writes that come at once number their queries one after the other', async (t) => {
  const store = openAt(t, join(temporaryFolder(t), 'judgements.lmdb'));
  const queries = Array.from({ length: 50 }, (_, number) => `query ${number % 25}`);
  await Promise.all(queries.map((query, number) => store.put([judged(query, `cover ${number}`, 1)])));
  assert.deepEqual(
    [...store.queries()].map(({ topic }) => topic),
    Array.from({ length: 25 }, (_, number) => number + 1),
  );
  assert.deepEqual(store.counts(), { judgements: 50, queries: 25 });
});

test('queries of any length and ids of any characters are told apart', async (t) => {
  const store = openAt(t, join(temporaryFolder(t), 'judgements.lmdb'));
  const long = '字'.repeat(999);
  await store.put([judged(`${long}一`, 'a', 0), judged(`${long}二`, 'a', 1), judged('x', 'a\u0000b', 2)]);
  assert.deepEqual(
    [...store.list()].map(({ query, id, grade }) => [query.at(-1), id, grade]),
    [
      ['一', 'a', 0],
      ['二', 'a', 1],
      ['x', 'a\u0000b', 2],
    ],
  );
});

test('on a full disk nothing is acknowledged and what was there stays', async (t) => {
  const disk = join(temporaryFolder(t), 'disk');
  mkdirSync(disk);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]).status !== 0) {
    return t.skip('needs the right to mount a small tmpfs');
  }
  const store = openJudgementStore(join(disk, 'judgements.lmdb'));
  try {
    let acknowledged = 0;
    let full: unknown;
    for (; full === undefined && acknowledged < 100_000; acknowledged += 50) {
      const batch = Array.from({ length: 50 }, (_, number) => judged('猫', `${acknowledged + number}`.padEnd(200), 1));
      await store.put(batch).catch((error: unknown) => {
        full = error;
      });
    }
    assert.ok(isFailure(full, 'storage_full'), String(full));
    assert.equal(store.counts().judgements, acknowledged - 50);
    assert.equal([...store.list()].length, acknowledged - 50);
    assert.equal(await store.remove('猫', '0'.padEnd(200)), true, 'writes that find room go on');
  } finally {
    await store.close();
    spawnSync('umount', ['-l', disk]);
  }
});

test('a snapshot carries judgements, a restored folder has them, and verify counts them', async (t) => {
  const folder = temporaryFolder(t);
  const dataDir = join(folder, 'data');
  const index = await openSample(dataDir);
  await index.judgements.put([judged('猫', 'a', 2)]);
  const { name } = await index.snapshot();
  await index.judgements.put([judged('猫', 'late', 2)]);
  await index.close();

  const restored = join(folder, 'restored');
  await restoreSnapshot(join(dataDir, 'snapshots', name), restored);
  assert.equal((await verifyDataDir(restored)).judgements, 1);
  const copy = await openForTest(t, restored);
  assert.deepEqual(
    [...copy.judgements.list()].map(({ id }) => id),
    ['a'],
  );
});

test('a damaged file of judgements is refused at the start and told by verify', async (t) => {
  const dataDir = temporaryFolder(t);
  await (await openSample(dataDir)).close();
  writeFileSync(join(dataDir, 'judgements.lmdb'), Buffer.alloc(8_192, 'garbage'));
  await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'corrupt_data'));
  const { problems } = await verifyDataDir(dataDir);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /judgements/);
});
