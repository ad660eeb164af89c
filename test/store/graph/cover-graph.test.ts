import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { CoverWrite } from '../../../src/core/ports.ts';
import { type CoverStore, openCoverStore } from '../../../src/store/cover-store.ts';
import { DURABLE_STEPS } from '../../../src/store/disk/durable-steps.ts';
import { type CoverGraph, createCoverGraph } from '../../../src/store/graph/cover-graph.ts';
import {
  BUNDLE,
  commitTo,
  DIM,
  randomEmbedding,
  randomNumbers,
  sampleCovers,
  temporaryFolder,
  upsert,
} from '../sample-covers.ts';

const COVERS = sampleCovers(5);
const QUERY = randomEmbedding(randomNumbers(5));

/** A store with five covers, and graphs over it that share a folder; the first was saved at sequence 5. */
async function savedGraph(t: TestContext) {
  const folder = temporaryFolder(t);
  const store = openCoverStore(join(folder, 'covers.lmdb'));
  t.after(() => store.close());
  const owner = { storeId: 'store', bundleHash: BUNDLE.hash, embeddingDim: DIM };
  const another = () => createCoverGraph({ store, folder: join(folder, 'graph'), owner, efSearch: 10 });
  const graph = another();
  commitTo(
    store,
    COVERS.map((cover) => upsert(cover)),
  );
  await graph.load({ isAsLeft: true });
  await graph.save();
  return { store, graph, another };
}

async function idsFound(store: CoverStore, graph: CoverGraph, filter?: { readonly [key: string]: string }) {
  const { labels } = await graph.search({ embedding: QUERY, k: 100, filter });
  return labels.map((label) => store.idOf(label)).sort();
}

function live(graph: CoverGraph): number {
  const { elements, deleted } = graph.state();
  return elements - deleted;
}

const meanwhile: [string, CoverWrite][] = [
  ['replaced', upsert({ id: 'new', embedding: randomEmbedding(randomNumbers(6)) })],
  ['deleted', { op: 'delete', id: 'new' }],
];

for (const [what, write] of meanwhile) {
  test(`a saved graph is taken although a cover that it lacks is ${what} while it is loaded`, async (t) => {
    const { store, another } = await savedGraph(t);
    commitTo(store, [upsert({ id: 'new', embedding: QUERY })]);
    const graph = another();
    const loading = graph.load({ isAsLeft: false });
    commitTo(store, [write]);
    assert.equal(await loading, undefined);
    assert.equal(graph.state().snapshot?.sequence, 5);
    await graph.catchUp(7);
    const ids = store.cover('new') === undefined ? [] : ['new'];
    assert.deepEqual(await idsFound(store, graph), [...COVERS.map(({ id }) => id), ...ids]);
    assert.equal(live(graph), COVERS.length + ids.length);
  });
}

test('a rebuild during which covers were written and the log was lost holds the covers of the store', async (t) => {
  const { store, graph, another } = await savedGraph(t);
  const [first, second, third] = COVERS.map(({ id }) => id);
  assert.ok(first && second && third);
  commitTo(store, [upsert({ id: 'before', embedding: QUERY, attributes: { channel: 'news' } })]);
  const write = (): void => {
    commitTo(store, [
      { op: 'delete', id: first },
      upsert({ id: second, embedding: QUERY, attributes: { channel: 'news' } }),
      { ...upsert({ id: third, embedding: QUERY, attributes: { channel: 'news' } }), content: undefined },
      upsert({ id: 'late', embedding: QUERY }),
    ]);
    store.transaction(() => store.trimLog(8, 100));
  };
  whenRebuilt(t, write);
  await graph.rebuild();
  assert.deepEqual([graph.state().sequence, live(graph)], [10, 6]);
  assert.deepEqual(await idsFound(store, graph), ['before', 'cover-1', 'cover-2', 'cover-3', 'cover-4', 'late']);
  assert.deepEqual(await idsFound(store, graph, { channel: 'news' }), ['before', 'cover-1', 'cover-2']);

  // It follows from there, and a start takes it as it is.
  commitTo(store, [{ op: 'delete', id: 'late' }]);
  await graph.catchUp(11);
  await graph.save();
  const restarted = another();
  assert.equal(await restarted.load({ isAsLeft: false }), undefined);
  assert.deepEqual(await idsFound(store, restarted), ['before', 'cover-1', 'cover-2', 'cover-3', 'cover-4']);
});

/** Between the reading of all embeddings and the replay of what was written meanwhile. */
function whenRebuilt(t: TestContext, work: () => void): void {
  const listen = (message: unknown): void => {
    if ((message as { readonly step: string }).step === 'graph rebuilt') work();
  };
  subscribe(DURABLE_STEPS, listen);
  t.after(() => unsubscribe(DURABLE_STEPS, listen));
}
