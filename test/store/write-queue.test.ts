import assert from 'node:assert/strict';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import type { BatchOutcome, EncodedWrite } from '../../src/store/cover-writer.ts';
import { createWriteQueue } from '../../src/store/write-queue.ts';

const deletion = (id: string): EncodedWrite => ({ op: 'delete', id });
const large = (id: string): EncodedWrite => ({
  op: 'upsert',
  id,
  imageUrl: undefined,
  title: undefined,
  attributes: {},
  content: {
    embedding: new Uint8Array(12 * 1024 * 1024),
    tokens: undefined,
    thumbnail: undefined,
    imageHash: undefined,
    ocrPresence: undefined,
  },
});

/** Commits by hand: each call waits until the test settles it. */
function manualCommit() {
  const calls: {
    readonly ids: string[][];
    resolve(outcomes: BatchOutcome[]): void;
    reject(error: Error): void;
  }[] = [];
  return {
    calls,
    commit: (batches: readonly (readonly EncodedWrite[])[]) =>
      new Promise<BatchOutcome[]>((resolve, reject) => {
        calls.push({ ids: batches.map((batch) => batch.map(({ id }) => id)), resolve, reject });
      }),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const done = (sequence: number): BatchOutcome => ({ results: ['deleted'], sequence });

test('batches that come while the disk is busy share the next transaction', async () => {
  const { calls, commit } = manualCommit();
  const queue = createWriteQueue(commit);
  const first = queue.add([deletion('a')]);
  const second = queue.add([deletion('b')]);
  const third = queue.add([deletion('c'), deletion('d')]);
  assert.deepEqual(
    calls.map(({ ids }) => ids),
    [[['a']]],
  );
  calls[0]?.resolve([done(1)]);
  assert.equal((await first).sequence, 1);
  assert.deepEqual(calls[1]?.ids, [['b'], ['c', 'd']]);
  const error = { code: 'storage_full', detail: 'full', reason: 'ENOSPC' } as const;
  calls[1]?.resolve([done(2), { error }]);
  assert.equal((await second).sequence, 2);
  await assert.rejects(third, (failed) => isFailure(failed, 'storage_full'));
  await queue.idle();
});

test('a batch added the moment that another is done is written too', async () => {
  const { calls, commit } = manualCommit();
  const queue = createWriteQueue(commit);
  const chained = queue.add([deletion('a')]).then(() => queue.add([deletion('b')]));
  calls[0]?.resolve([done(1)]);
  await turn();
  calls[1]?.resolve([done(2)]);
  assert.equal((await chained).sequence, 2);
});

test('large batches do not wait for each other', async () => {
  const { calls, commit } = manualCommit();
  const queue = createWriteQueue(commit);
  const all = [deletion('a'), large('b'), large('c'), deletion('d')].map((write) => queue.add([write]));
  for (let sequence = 1; sequence <= 3; sequence++) {
    await turn();
    const call = calls[sequence - 1];
    call?.resolve(call.ids.map(() => done(sequence)));
  }
  await Promise.all(all);
  assert.deepEqual(
    calls.map(({ ids }) => ids),
    [[['a']], [['b']], [['c'], ['d']]],
  );
});

test('a commit that fails fails its batches only', async () => {
  const { calls, commit } = manualCommit();
  const queue = createWriteQueue(commit);
  const first = queue.add([deletion('a')]);
  const second = queue.add([deletion('b')]);
  calls[0]?.reject(new Error('gone'));
  await assert.rejects(first, /gone/);
  await turn();
  calls[1]?.resolve([done(1)]);
  assert.equal((await second).sequence, 1);
});
