import assert from 'node:assert/strict';
import test from 'node:test';
import { openCoverStore } from '../../../src/store/cover-store.ts';
import { verifyDataDir } from '../../../src/store/data-dir/verify.ts';
import type { CoverIndexEvent } from '../../../src/store/graph/graph-client.ts';
import { encodeLogEntry } from '../../../src/store/record-codec.ts';
import { damageInPlace, damageOwner } from '../damage-in-place.ts';
import {
  closedFolder,
  commitTo,
  openForTest,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  upsert,
} from '../sample-covers.ts';

const COVERS = sampleCovers(20);
const LATE = { id: 'late', embedding: randomEmbedding(randomNumbers(8)) };

/** As a crash leaves it: the saved graph lacks the last write. */
async function writeWithoutGraph(path: string): Promise<void> {
  const store = openCoverStore(path);
  commitTo(store, [upsert(LATE)]);
  await store.close();
}

test('a damaged log entry is a warning, since the next start mends it by itself', async (t) => {
  const { root, store } = await closedFolder(t, COVERS);
  await writeWithoutGraph(store);
  assert.deepEqual((await verifyDataDir(root)).warnings, []);
  damageInPlace(store, encodeLogEntry({ sequence: 21, id: LATE.id, label: 21, replaced: 0 }));
  const { problems, warnings, graph } = await verifyDataDir(root);
  assert.deepEqual([problems, graph], [[], null]);
  assert.deepEqual(warnings, ['the saved graph cannot be used: A record of log does not match its checksum.']);

  const events: CoverIndexEvent['event'][] = [];
  const index = await openForTest(t, root, { onEvent: ({ event }) => events.push(event) });
  assert.deepEqual(events, ['graph_rebuilt']);
  assert.deepEqual(await recallIds(index, LATE.embedding, 1), [LATE.id]);
});

test('content that does not say whose it is any more is a problem of its cover, and the rest is checked as well', async (t) => {
  const { root, store } = await closedFolder(t, COVERS);
  damageOwner(store, 'cover-3', 4);
  const { problems, selfRecall } = await verifyDataDir(root);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /"cover-3": A record of labels/);
  assert.equal(selfRecall?.found, COVERS.length);
});
