import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../../src/core/errors.ts';
import { collectWorkers } from './collect-workers.ts';
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

const COVERS = sampleCovers(20);
const QUERY = randomEmbedding(randomNumbers(77));

test('a dead writer thread is started again', async (t) => {
  const workers = collectWorkers(t);
  const index = await openForTest(t, temporaryFolder(t));
  await writeAll(index, COVERS.slice(0, 3));
  await workers[0]?.terminate();
  await assert.rejects(index.write([upsert({ id: 'x', embedding: QUERY })]).durable, (error) =>
    isFailure(error, 'unavailable'),
  );
  while (workers.length < 3) await delay(10);
  for (;;) {
    try {
      await index.write([upsert({ id: 'y', embedding: QUERY })]).searchable;
      break;
    } catch (error) {
      assert.ok(isFailure(error, 'unavailable'));
      await delay(10);
    }
  }
  assert.deepEqual(await recallIds(index, QUERY, 1), ['y']);
});

test('what the writer committed just before it died is found once it is back, without another write', async (t) => {
  const workers = collectWorkers(t);
  const index = await openForTest(t, temporaryFolder(t));
  await writeAll(index, COVERS);
  const [writer] = workers;
  assert.ok(writer);
  // The answer to the commit gets lost, as it does when the thread dies on its way.
  writer.removeAllListeners('message');
  const { durable, searchable } = index.write([upsert({ id: 'late', embedding: QUERY })]);
  while (index.get('late') === undefined) await delay(1);
  assert.notDeepEqual(await recallIds(index, QUERY, 1), ['late']);
  await writer.terminate();
  for (const lost of [durable, searchable]) await assert.rejects(lost, (error) => isFailure(error, 'unavailable'));
  while (index.status().graph.sequence <= COVERS.length) await delay(5);
  assert.deepEqual(await recallIds(index, QUERY, 1), ['late']);
});
