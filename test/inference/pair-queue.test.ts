import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import type { ImageTokens, Signals } from '../../src/core/types.ts';
import { createPairQueue, type PairBatch, type PairQueueOptions } from '../../src/inference/pair-queue.ts';

/** A picture that tells which it is. */
const image = (number: number): ImageTokens => ({ values: new Int8Array(0), scales: Float32Array.of(number) });
const numberOf = ({ scales }: ImageTokens): number => scales[0] ?? Number.NaN;

/** A model whose batches the test lets finish one by one; it scores a pair by the numbers of its query and picture. */
function gatedQueue(changes: Partial<PairQueueOptions> = {}) {
  const open: { batch: PairBatch; finish: () => void; fail: (error: Error) => void }[] = [];
  const batches: string[] = [];
  const clock = { now: 0 };
  const queue = createPairQueue({
    name: 'model',
    maxQueued: 100,
    maxInFlight: 1,
    batchPairs: () => 8,
    now: () => clock.now,
    run: (batch) =>
      new Promise((resolve, reject) => {
        batches.push(batch.slices.map(({ query, images }) => `${query.tokenIds[0]}:${images.length}`).join(' '));
        const scores = batch.slices.flatMap(({ query, images }) =>
          images.map((one): Signals => ({ score: 1000 * (query.tokenIds[0] ?? 0) + numberOf(one) })),
        );
        open.push({ batch, finish: () => resolve(scores), fail: reject });
      }),
    ...changes,
  });

  /** Asks for `pairs` of query `id`, as a caller of its own unless one is given. */
  function ask(id: number, pairs: number, { deadlineAt = Infinity, caller = new AbortController() } = {}) {
    const images = Array.from({ length: pairs }, (_, number) => image(number));
    const answer = queue.submit({ query: { tokenIds: [id] }, images, signal: caller.signal, deadlineAt });
    answer.catch(() => {});
    return { answer, leave: () => caller.abort() };
  }

  async function step(count = 1): Promise<void> {
    for (let done = 0; done < count; done++) {
      open.shift()?.finish();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return { queue, ask, step, batches, open, clock };
}

const scoresOf = (id: number, pairs: number): Signals[] =>
  Array.from({ length: pairs }, (_, number) => ({ score: 1000 * id + number }));

test('a model with nothing to do starts at once, and a long query runs in batches of nearly equal size', async () => {
  const { ask, step, batches } = gatedQueue();
  const { answer } = ask(1, 20);
  assert.deepEqual(batches, ['1:7']);
  await step(3);
  assert.deepEqual(batches, ['1:7', '1:7', '1:6']);
  assert.deepEqual(await answer, scoresOf(1, 20));
});

test('a short query does not wait for the whole of a long one that came before it', async () => {
  const { ask, step, batches } = gatedQueue();
  const long = ask(1, 1000);
  const short = ask(2, 10, { deadlineAt: 900 });
  await step(3);
  assert.deepEqual(batches.slice(0, 3), ['1:8', '2:6 1:2', '2:4 1:4']);
  assert.deepEqual(await short.answer, scoresOf(2, 10));
  await step(130);
  assert.deepEqual(await long.answer, scoresOf(1, 1000));
});

test('nor when the long one is in the greater hurry', async () => {
  const { ask, step, batches } = gatedQueue();
  ask(1, 1000, { deadlineAt: 100 });
  const { answer } = ask(2, 4, { deadlineAt: 900 });
  await step(3);
  assert.deepEqual(batches.slice(1, 3), ['1:6 2:2', '1:6 2:2']);
  assert.deepEqual(await answer, scoresOf(2, 4));
});

test('half of a batch goes to the nearest deadline however many wait', async () => {
  const { ask, step, batches } = gatedQueue();
  for (const id of [1, 2, 3, 4, 5]) ask(id, 100, { deadlineAt: 1000 });
  const urgent = ask(6, 8, { deadlineAt: 50 });
  await step(2);
  assert.deepEqual(batches[1], '6:4 1:1 2:1 3:1 4:1');
  await step();
  assert.match(batches[2] ?? '', /^6:4/);
  assert.deepEqual(await urgent.answer, scoresOf(6, 8));
});

test('callers that do not fit into one batch take turns', async () => {
  const { ask, step, batches } = gatedQueue({ batchPairs: () => 2 });
  for (const id of [1, 2, 3, 4]) ask(id, 3);
  await step(6);
  assert.equal(batches.length, 6);
  const first = batches.slice(0, 5).flatMap((batch) => batch.split(' ').map((slice) => slice.slice(0, 1)));
  assert.deepEqual([...new Set(first)].sort(), ['1', '2', '3', '4']);
});

test('what one caller asks for in many parts gives it no more turns', async () => {
  const { ask, step, batches } = gatedQueue();
  ask(9, 8);
  const caller = new AbortController();
  const parts = Array.from({ length: 50 }, (_, part) => ask(100 + part, 1, { caller }));
  const other = ask(2, 4);
  await step(2);
  assert.equal(batches[1]?.split(' ').filter((slice) => slice.startsWith('1')).length, 6);
  assert.match(batches[1] ?? '', /2:2/);
  await step(20);
  assert.deepEqual(await other.answer, scoresOf(2, 4));
  assert.deepEqual(await parts[49]?.answer, [{ score: 149_000 }]);
});

test('work whose caller left or whose deadline passed costs nothing', async () => {
  const { ask, step, batches, clock } = gatedQueue();
  ask(1, 8);
  const left = ask(2, 4);
  const late = ask(3, 4, { deadlineAt: 10 });
  const stays = ask(4, 4, { deadlineAt: 30 });
  left.leave();
  await assert.rejects(left.answer, (error) => isFailure(error, 'cancelled'));
  clock.now = 20;
  await step();
  await assert.rejects(late.answer, (error) => isFailure(error, 'deadline_exceeded'));
  assert.deepEqual(batches, ['1:8', '4:4']);
  await step();
  assert.deepEqual(await stays.answer, scoresOf(4, 4));
});

test('a caller who leaves a long query in the middle takes back what has not run', async () => {
  const { ask, step, batches, queue } = gatedQueue();
  const { answer, leave } = ask(1, 80);
  const other = ask(2, 16);
  await step();
  leave();
  await assert.rejects(answer, (error) => isFailure(error, 'cancelled'));
  assert.equal(queue.ahead(100), 14);
  await step(4);
  assert.deepEqual(await other.answer, scoresOf(2, 16));
  assert.equal(batches.filter((batch) => batch.includes('1:')).length, 2);
});

test('a batch is told when nobody waits for it any more, and not before', async () => {
  const { ask, step, open } = gatedQueue();
  ask(9, 8);
  const [first, second] = [ask(1, 4), ask(2, 4)];
  await step();
  const batch = open[0]?.batch;
  assert.equal(batch?.slices.length, 2);
  first.leave();
  assert.equal(batch?.signal.aborted, false);
  second.leave();
  assert.equal(batch?.signal.aborted, true);
});

test('a batch that fails fails the queries in it, drops what is left of them, and no others', async () => {
  const { ask, step, open, batches } = gatedQueue();
  const first = ask(1, 80);
  const other = ask(2, 4);
  open.shift()?.fail(new Error('the model broke'));
  await assert.rejects(first.answer, /the model broke/);
  await step();
  assert.deepEqual(await other.answer, scoresOf(2, 4));
  assert.deepEqual(batches, ['1:8', '2:4']);
});

test('a score that is no number fails its own query and no other of the batch', async () => {
  const { ask, step, queue } = gatedQueue();
  ask(9, 8);
  const caller = new AbortController().signal;
  const images = [image(0), image(Number.NaN)];
  const spoilt = queue.submit({ query: { tokenIds: [1] }, images, signal: caller, deadlineAt: Infinity });
  const other = ask(2, 3);
  await Promise.all([assert.rejects(spoilt, (error) => isFailure(error, 'internal')), step(2)]);
  assert.deepEqual(await other.answer, scoresOf(2, 3));
});

test('as many batches run side by side as are allowed, each with the latest deadline of its callers', async () => {
  const { ask, step, batches, open, queue } = gatedQueue({ maxInFlight: 2 });
  const first = ask(1, 16, { deadlineAt: 70 });
  assert.deepEqual(batches, ['1:8', '1:8']);
  assert.deepEqual(queue.running(), { batches: 2, pairs: 16 });
  const second = ask(2, 2, { deadlineAt: 40 });
  const third = ask(3, 2, { deadlineAt: 90 });
  assert.equal(queue.ahead(100), 4);
  await step();
  assert.equal(open.at(-1)?.batch.deadlineAt, 90);
  await step(3);
  assert.deepEqual(await Promise.all([first, second, third].map(({ answer }) => answer)), [
    scoresOf(1, 16),
    scoresOf(2, 2),
    scoresOf(3, 2),
  ]);
});

test('callers beyond the queue are refused; one that waits already may ask for more', async () => {
  const { ask, step } = gatedQueue({ maxQueued: 1 });
  ask(1, 8);
  const caller = new AbortController();
  const waits = ask(2, 1, { caller });
  await assert.rejects(ask(3, 1).answer, (error) => isFailure(error, 'overloaded'));
  const more = ask(4, 1, { caller });
  await step(2);
  assert.deepEqual([await waits.answer, await more.answer], [scoresOf(2, 1), scoresOf(4, 1)]);
});

test('a query without pictures is answered at once, and one whose caller has left is not asked for', async () => {
  const { ask, batches } = gatedQueue();
  assert.deepEqual(await ask(1, 0).answer, []);
  const gone = new AbortController();
  gone.abort();
  await assert.rejects(ask(2, 1, { caller: gone }).answer, (error) => isFailure(error, 'cancelled'));
  assert.deepEqual(batches, []);
});

test('a model is rested when nothing runs and nothing has for a second', async () => {
  const { queue, ask, step, clock } = gatedQueue();
  clock.now = 5000;
  ask(1, 1);
  assert.equal(queue.isRested(), false);
  await step();
  clock.now = 6000;
  assert.equal(queue.isRested(), false);
  clock.now = 6001;
  assert.equal(queue.isRested(), true);
});
