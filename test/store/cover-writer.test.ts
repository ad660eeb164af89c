import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { dataDirPaths } from '../../src/store/data-dir/data-dir.ts';
import { verifyDataDir } from '../../src/store/data-dir/verify.ts';
import { damageInPlace, damageOwner } from './damage-in-place.ts';
import {
  openForTest,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  temporaryFolder,
  upsert,
  writeAll,
} from './sample-covers.ts';

const COVERS = sampleCovers(6);
const QUERY = randomEmbedding(randomNumbers(5));

async function openIndex(t: TestContext) {
  const dataDir = temporaryFolder(t);
  const index = await openForTest(t, dataDir);
  await writeAll(index, COVERS);
  const { store } = dataDirPaths(dataDir);
  return {
    index,
    dataDir,
    damageRecord(id: string): void {
      damageInPlace(store, Buffer.from(`title of ${id}"`));
      assert.throws(() => index.get(id), isDamage);
    },
    damageOwner: (id: string, label: number) => damageOwner(store, id, label),
  };
}

function isDamage(error: unknown): boolean {
  return isFailure(error, 'corrupt_data');
}

test('covers whose records are damaged are replaced and deleted like any others, with the content they had', async (t) => {
  const { index, dataDir, damageRecord } = await openIndex(t);
  damageRecord('cover-1');
  damageRecord('cover-4');
  const { durable, searchable } = index.write([
    upsert({ id: 'cover-0', embedding: QUERY }),
    upsert({ id: 'cover-1', embedding: QUERY }),
    { op: 'delete', id: 'cover-4' },
    upsert({ id: 'late', embedding: QUERY }),
  ]);
  assert.deepEqual(await durable, ['updated', 'updated', 'deleted', 'created']);
  await searchable;
  const all = ['cover-0', 'cover-1', 'cover-2', 'cover-3', 'cover-5', 'late'];
  assert.deepEqual((await recallIds(index, QUERY, 20)).sort(), all);
  assert.deepEqual(await recallIds(index, QUERY, 3), ['cover-0', 'cover-1', 'late']);
  assert.deepEqual([index.get('cover-1')?.sequence, index.get('cover-4')], [8, undefined]);
  const { covers, deleted } = index.status();
  assert.deepEqual([covers, deleted], [6, 3]);

  await index.close();
  assert.deepEqual((await verifyDataDir(dataDir)).problems, []);
  const again = await openForTest(t, dataDir);
  assert.deepEqual((await recallIds(again, QUERY, 20)).sort(), all);
});

test('metadata alone is not written over a damaged record, which holds what should stay; other batches are', async (t) => {
  const { index, damageRecord } = await openIndex(t);
  damageRecord('cover-1');
  const before = index.write([upsert({ id: 'early', embedding: QUERY })]);
  const metadata = index.write([{ ...upsert({ id: 'cover-1', embedding: QUERY }), content: undefined }]);
  const after = index.write([upsert({ id: 'late', embedding: QUERY })]);
  await assert.rejects(metadata.durable, isDamage);
  assert.deepEqual([await before.durable, await after.durable], [['created'], ['created']]);
});

test('damaged content of other covers does not stand in the way', async (t) => {
  const { index, damageRecord, damageOwner } = await openIndex(t);
  damageOwner('cover-0', 1);
  damageRecord('cover-1');
  for (const id of ['cover-1', 'cover-0']) {
    const { durable, searchable } = index.write([upsert({ id, embedding: QUERY })]);
    assert.deepEqual(await durable, ['updated']);
    await searchable;
  }
  assert.deepEqual((await recallIds(index, QUERY, 2)).sort(), ['cover-0', 'cover-1']);
});

test('where it cannot be told what content a damaged cover has, it stays as it is', async (t) => {
  const { index, damageRecord, damageOwner } = await openIndex(t);
  damageRecord('cover-1');
  damageOwner('cover-1', 2);
  await assert.rejects(index.write([upsert({ id: 'cover-1', embedding: QUERY })]).durable, isDamage);
  await assert.rejects(index.write([{ op: 'delete', id: 'cover-1' }]).durable, isDamage);
  const { covers, sequence } = index.status();
  assert.deepEqual([covers, sequence], [6, 6]);
});
