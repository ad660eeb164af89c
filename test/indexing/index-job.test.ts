import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { failure, isFailure } from '../../src/core/errors.ts';
import { createGate } from '../../src/http/admission.ts';
import type { ItemOutcome } from '../../src/indexing/index-job.ts';
import type { IndexItem } from '../../src/indexing/item.ts';
import { collect, never, picture, setUp, told } from './index-set-up.ts';

test('the source is pulled no faster than items can be worked on', async () => {
  const { indexer, encoder } = setUp({ concurrency: 4 });
  let pulled = 0;
  function* source() {
    for (; pulled < 1000; pulled++) yield picture(`id${pulled}`, `picture ${pulled}`);
  }
  const outcomes = indexer.index(source(), { signal: never, until: 'durable' })[Symbol.asyncIterator]();
  await outcomes.next();
  for (let turn = 0; turn < 50; turn++) await nextTurn();
  assert.ok(pulled <= 10, `${pulled} items were pulled for one outcome taken`);
  assert.ok(encoder.mostRunning <= 4);
  await outcomes.return?.();
});

test('an outcome comes while its source still waits for more', async () => {
  const { indexer } = setUp();
  let send: (item: IndexItem) => void = () => {};
  async function* source() {
    yield picture('a', 'one');
    yield await new Promise<IndexItem>((resolve) => {
      send = resolve;
    });
  }
  const outcomes = indexer.index(source(), { signal: never, until: 'searchable' })[Symbol.asyncIterator]();
  assert.equal(told((await outcomes.next()).value), 'a created');
  const second = outcomes.next();
  await nextTurn();
  send(picture('b', 'two'));
  assert.equal(told((await second).value), 'b created');
  assert.equal((await outcomes.next()).done, true);
});

test('an aborted job tells what was done and ends; nothing is written afterwards', async () => {
  const { index, encoder, indexer } = setUp({ concurrency: 2 });
  const caller = new AbortController();
  encoder.work = (text) => (text === 'hangs' ? new Promise(() => {}) : nextTurn());
  function* source() {
    yield picture('a', 'one');
    yield picture('b', 'hangs');
    for (let number = 0; ; number++) yield picture(`id${number}`, `picture ${number}`);
  }
  const seen: string[] = [];
  const job = (async () => {
    for await (const outcome of indexer.index(source(), { signal: caller.signal, until: 'searchable' })) {
      seen.push(told(outcome));
      caller.abort();
    }
  })();
  await assert.rejects(job, (error) => isFailure(error, 'cancelled'));
  assert.deepEqual(seen.slice(0, 2), ['a created', 'b cancelled']);
  assert.ok(seen.slice(1).every((line) => line.endsWith('cancelled')));
  const written = index.batches.length;
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.equal(index.batches.length, written);
  assert.deepEqual([...index.covers.keys()], ['a']);
});

test('a job hung in its source ends when it is aborted', async () => {
  const { indexer } = setUp();
  async function* source(): AsyncGenerator<IndexItem> {
    yield picture('a', 'one');
    await new Promise(() => {});
  }
  const deadline = new AbortController();
  setTimeout(() => deadline.abort(new DOMException('late', 'TimeoutError')), 20);
  const { signal } = deadline;
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const outcome of indexer.index(source(), { signal, until: 'durable' })) seen.push(told(outcome));
    },
    (error) => isFailure(error, 'deadline_exceeded'),
  );
  assert.deepEqual(seen, ['a created']);
});

test('a broken source ends the job after what it had sent', async () => {
  const { indexer } = setUp();
  async function* source() {
    yield picture('a', 'one');
    yield picture('b', 'two');
    throw failure('too_large', 'A line is too long.');
  }
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const outcome of indexer.index(source(), { signal: never, until: 'durable' }))
        seen.push(told(outcome));
    },
    (error) => isFailure(error, 'too_large'),
  );
  assert.deepEqual(seen, ['a created', 'b created']);
});

test('a consumer that leaves early closes the source', async () => {
  const { indexer } = setUp();
  let closed = false;
  function* source() {
    try {
      for (let number = 0; ; number++) yield picture(`id${number}`, `picture ${number}`);
    } finally {
      closed = true;
    }
  }
  for await (const _ of indexer.index(source(), { signal: never, until: 'durable' })) break;
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(closed, true);
});

test('a job under way makes way for other work item by item, and goes on one by one meanwhile', async () => {
  const { indexer, encoder } = setUp();
  const others = createGate({ concurrency: 1, queue: 1 });
  const { enter } = createGate({ concurrency: 4, queue: 12, yieldsTo: others });
  const other = await others.enter(never);
  const items = Array.from({ length: 12 }, (_, i) => picture(`cover/${i}`, `picture ${i}`));
  let waiting: ReturnType<typeof others.enter> | undefined;
  let mostWhileWaiting = 0;
  encoder.work = async () => {
    const started = encoder.encoded.length;
    if (started === 6) waiting = others.enter(never);
    if (started > 6 && started <= 10) mostWhileWaiting = Math.max(mostWhileWaiting, encoder.running);
    await nextTurn();
    if (started === 10) other.leave();
  };
  const outcomes = await collect(indexer.index(items, { signal: never, until: 'searchable', enter }));
  assert.deepEqual(new Set(outcomes.map(({ result }) => result)), new Set(['created']));
  assert.equal(encoder.encoded.length, 12);
  assert.equal(mostWhileWaiting, 1);
  (await waiting)?.leave();
});

test('items that wait for other work are given up with their job', async () => {
  const { indexer, encoder } = setUp();
  const caller = new AbortController();
  const others = createGate({ concurrency: 1, queue: 1 });
  const { enter } = createGate({ concurrency: 1, queue: 10, yieldsTo: others });
  await others.enter(never);
  void others.enter(never);
  encoder.work = async () => caller.abort();
  const outcomes: ItemOutcome[] = [];
  const items = [picture('a', 'one'), picture('b', 'two')];
  const run = async () => {
    for await (const outcome of indexer.index(items, { signal: caller.signal, until: 'searchable', enter })) {
      outcomes.push(outcome);
    }
  };
  await assert.rejects(run, (error) => isFailure(error, 'cancelled'));
  assert.deepEqual(encoder.encoded, ['one']);
  assert.equal(outcomes.find(({ id }) => id === 'b')?.error?.code, 'cancelled');
});

test('a damaged record is no reason not to make its cover anew, and fails no write but its own', async () => {
  const { index, indexer, encoder } = setUp();
  index.damaged = 'b';
  const items = ['a', 'b', 'c'].map((id) => picture(id, `picture of ${id}`));
  const outcomes = await collect(indexer.index(items, { signal: never, until: 'searchable' }));
  assert.deepEqual(outcomes.map(told), ['a created', 'b corrupt_data', 'c created']);
  assert.deepEqual(encoder.encoded.toSorted(), ['picture of a', 'picture of b', 'picture of c']);
  assert.deepEqual([...index.searchable].toSorted(), ['a', 'c']);
});
