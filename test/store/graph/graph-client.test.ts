import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../../../src/core/errors.ts';
import type { CoverIndex, CoverWrite } from '../../../src/core/ports.ts';
import { type CoverStore, openCoverStore } from '../../../src/store/cover-store.ts';
import { dataDirPaths } from '../../../src/store/data-dir/data-dir.ts';
import type { CoverIndexEvent } from '../../../src/store/graph/graph-client.ts';
import { encodeLogEntry } from '../../../src/store/record-codec.ts';
import { damageInPlace } from '../damage-in-place.ts';
import {
  commitTo,
  never,
  openForTest,
  randomEmbedding,
  randomNumbers,
  recallIds,
  type SampleCover,
  sampleCovers,
  temporaryFolder,
  upsert,
  writeAll,
} from '../sample-covers.ts';

const COVERS = sampleCovers(5);
const QUERY = randomEmbedding(randomNumbers(5));
const UNSEEN = { id: 'unseen', embedding: randomEmbedding(randomNumbers(6)), attributes: { channel: 'news' } };
const LATE = { id: 'late', embedding: QUERY };

/** An open index with five covers, and a way to write to its store behind its back: the graph is to follow later. */
async function openIndex(t: TestContext) {
  const dataDir = temporaryFolder(t);
  const events: CoverIndexEvent[] = [];
  const index = await openForTest(t, dataDir, { onEvent: (event) => events.push(event) });
  await writeAll(index, COVERS);
  const path = dataDirPaths(dataDir).store;
  const writeUnseen = async (writes: readonly CoverWrite[], then: (store: CoverStore) => void = () => {}) => {
    const store = openCoverStore(path);
    commitTo(store, writes);
    then(store);
    await store.close();
  };
  return { index, path, events, writeUnseen };
}

function loseLogUpTo(sequence: number): (store: CoverStore) => void {
  return (store) => store.transaction(() => void store.trimLog(sequence, 1_000));
}

async function filteredIds(index: CoverIndex): Promise<string[]> {
  const { neighbors } = await index.recall({ embedding: QUERY, k: 10, filter: { channel: 'news' } }, never());
  return neighbors.map(({ id }) => id);
}

/** What an index tells of its graph first. */
async function firstOf(events: readonly CoverIndexEvent[]): Promise<CoverIndexEvent | undefined> {
  while (events.length === 0) await delay(1);
  return events[0];
}

const damages: [string, (path: string) => (store: CoverStore) => void, string][] = [
  ['gone', () => loseLogUpTo(6), 'the log of writes has a gap'],
  [
    'damaged',
    (path) => () => damageInPlace(path, encodeLogEntry({ sequence: 6, id: UNSEEN.id, label: 6, replaced: 0 })),
    'A record of log does not match its checksum.',
  ],
];

for (const [what, damage, because] of damages) {
  test(`a graph that meets a log entry that is ${what} is built anew, once, and follows from there`, async (t) => {
    const { index, path, events, writeUnseen } = await openIndex(t);
    await writeUnseen([upsert(UNSEEN), { op: 'delete', id: 'cover-0' }], damage(path));
    const { searchable } = index.write([upsert(LATE)]);
    const told = await firstOf(events);
    assert.deepEqual(told?.event === 'graph_rebuilt' ? [told.because, told.covers] : told, [because, 6]);
    await searchable;
    const all = ['cover-1', 'cover-2', 'cover-3', 'cover-4', 'late', 'unseen'];
    assert.deepEqual((await recallIds(index, QUERY, 10)).sort(), all);
    assert.deepEqual(await filteredIds(index), ['unseen']);

    await index.write([{ op: 'delete', id: 'unseen' }]).searchable;
    assert.deepEqual(await filteredIds(index), []);
    const { graph, sequence } = index.status();
    assert.deepEqual([events.length, graph.state, graph.sequence], [1, 'ready', sequence]);
  });
}

test('a graph that cannot even be built anew: writes are told, it is tried now and then, and works once it can', async (t) => {
  const { index, path, events, writeUnseen } = await openIndex(t);
  const damaged = COVERS[1] as SampleCover;
  damageInPlace(path, Buffer.from(damaged.embedding.buffer as ArrayBuffer));
  await writeUnseen([upsert(UNSEEN), { op: 'delete', id: 'cover-0' }], loseLogUpTo(6));
  const failures = () => events.filter(({ event }) => event === 'graph_failed').length;
  const writes = 30;
  for (let i = 0; i < writes; i++) {
    const { durable, searchable } = index.write([upsert(LATE)]);
    assert.deepEqual(await durable, [i === 0 ? 'created' : 'updated']);
    await assert.rejects(searchable, (error) => isFailure(error, 'unavailable'));
  }
  assert.equal(index.status().graph.state, 'failed');
  // Of as many writes, each of which once began another attempt.
  assert.ok(failures() > 0 && failures() < writes / 3, `${failures()} attempts`);

  await index.write([upsert({ id: damaged.id, embedding: QUERY })]).durable;
  while (index.status().graph.state !== 'ready') await delay(5);
  await index.write([upsert({ id: 'last', embedding: QUERY })]).searchable;
  const all = ['cover-1', 'cover-2', 'cover-3', 'cover-4', 'last', 'late', 'unseen'];
  assert.deepEqual((await recallIds(index, QUERY, 10)).sort(), all);
});
