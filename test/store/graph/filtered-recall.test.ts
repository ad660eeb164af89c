import assert from 'node:assert/strict';
import test from 'node:test';
import type { Filter } from '../../../src/core/types.ts';
import {
  embeddingNear,
  exactIds,
  never,
  openForTest,
  randomEmbedding,
  randomNumbers,
  type SampleCover,
  sampleCovers,
  temporaryFolder,
  writeAll,
} from '../sample-covers.ts';

const COVERS = 6_000;
const CLUSTERS = 60;
const K = 50;

/** Clustered covers; `cluster` goes with the vector, `dice` (0..99) does not. */
function clusteredCovers(): SampleCover[] {
  const random = randomNumbers(11);
  const centres = Array.from({ length: CLUSTERS }, () => randomEmbedding(random));
  return Array.from({ length: COVERS }, (_, i) => {
    const cluster = i % CLUSTERS;
    const embedding = embeddingNear(centres[cluster] as Float32Array, random);
    return { id: `cover-${i}`, embedding, attributes: { cluster, dice: Math.floor(random() * 100) } };
  });
}

test('filtered recall is at least .95 of exact at every selectivity', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const covers = clusteredCovers();
  await writeAll(index, covers);
  const filters: [string, Filter, (cover: SampleCover) => boolean][] = [
    ['half', { dice: { lt: 50 } }, ({ attributes }) => (attributes?.['dice'] as number) < 50],
    ['a tenth', { dice: { gte: 90 } }, ({ attributes }) => (attributes?.['dice'] as number) >= 90],
    ['a fiftieth', { dice: { in: [3, 4] } }, ({ attributes }) => [3, 4].includes(attributes?.['dice'] as number)],
    ['one cluster', { cluster: 7 }, ({ attributes }) => attributes?.['cluster'] === 7],
    ['half of the clusters', { cluster: { lt: 30 } }, ({ attributes }) => (attributes?.['cluster'] as number) < 30],
    ['all but one cluster', { cluster: { not: 7 } }, ({ attributes }) => attributes?.['cluster'] !== 7],
    ['nothing', { cluster: 'seven' }, () => false],
  ];
  for (const [name, filter, matches] of filters) {
    const pool = covers.filter(matches);
    let found = 0;
    let wanted = 0;
    for (let i = 0; i < 12; i++) {
      // Half of the queries lie in the seventh cluster, which is the filter's or the one it excludes.
      const near = covers[7 + CLUSTERS * i] as SampleCover;
      const query = i % 2 === 0 ? near.embedding : randomEmbedding(randomNumbers(50 + i));
      const { neighbors } = await index.recall({ embedding: query, k: K, filter }, never());
      const exact = new Set(exactIds(query, pool, K));
      assert.equal(neighbors.length, exact.size, name);
      found += neighbors.filter(({ id }) => exact.has(id)).length;
      wanted += exact.size;
    }
    assert.ok(found >= 0.95 * wanted, `${name}: ${found} of ${wanted}`);
  }
});

test('a filter follows the writes', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const random = randomNumbers(5);
  const cover = { id: 'c', embedding: randomEmbedding(random) };
  const matching = async (filter: Filter) =>
    (await index.recall({ embedding: cover.embedding, k: 9, filter }, never())).neighbors.length;
  await writeAll(index, [{ ...cover, attributes: { tags: ['old', 'both'] } }]);
  assert.deepEqual([await matching({ tags: 'old' }), await matching({ tags: 'new' })], [1, 0]);
  await writeAll(index, [{ ...cover, attributes: { tags: ['new', 'both'] } }]);
  assert.deepEqual([await matching({ tags: 'old' }), await matching({ tags: 'new' })], [0, 1]);
  assert.equal(await matching({ tags: 'both' }), 1);
  await index.write([{ op: 'delete', id: 'c' }]).searchable;
  assert.equal(await matching({ tags: 'both' }), 0);
});

test('a costly filter holds up no other search', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const covers = sampleCovers(1_500).map((cover, i) => ({ ...cover, attributes: { number: i } }));
  await writeAll(index, covers);
  const { embedding } = covers[0] as SampleCover;
  const costly: Filter = Object.fromEntries(
    Array.from({ length: 64 }, (_, key) => [`k${key}`, { not: { in: Array.from({ length: 1_000 }, (_, i) => i) } }]),
  );
  const answered: string[] = [];
  const ask = async (name: string, filter: Filter): Promise<void> => {
    await index.recall({ embedding, k: 3, filter }, never());
    answered.push(name);
  };
  await Promise.all([ask('costly', costly), ask('simple', { number: 7 })]);
  assert.deepEqual(answered, ['simple', 'costly']);
});
