import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import { createBatcher } from '../../src/inference/batcher.ts';

const never = new AbortController().signal;

/** A model whose batches the test lets finish one by one. */
function steppedModel() {
  const batches: { items: readonly number[]; finish: () => void; fail: (error: Error) => void }[] = [];
  const run = (items: readonly number[]) =>
    new Promise<readonly number[]>((resolve, reject) => {
      batches.push({ items, finish: () => resolve(items.map((item) => item * 10)), fail: reject });
    });
  const step = async (): Promise<void> => {
    batches.at(-1)?.finish();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { batches, run, step };
}

function batcher(model: ReturnType<typeof steppedModel>, maxQueued = 100) {
  return createBatcher({
    name: 'model',
    maxQueued,
    fits: (batch: readonly number[]) => batch.length < 3,
    run: model.run,
  });
}

test('an idle model starts at once; what arrives meanwhile makes up the next batches in order', async () => {
  const model = steppedModel();
  const { submit } = batcher(model);
  const answers = [1, 2, 3, 4, 5].map((item) => submit(item, never));
  await model.step();
  await model.step();
  await model.step();
  assert.deepEqual(
    model.batches.map(({ items }) => items),
    [[1], [2, 3, 4], [5]],
  );
  assert.deepEqual(
    (await Promise.all(answers)).map(({ result }) => result),
    [10, 20, 30, 40, 50],
  );
});

test('an entry whose signal fires while it waits never reaches the model', async () => {
  const model = steppedModel();
  const { submit } = batcher(model);
  const caller = new AbortController();
  const first = submit(1, never);
  const left = submit(2, caller.signal);
  const stays = submit(3, never);
  caller.abort();
  await assert.rejects(left, (error) => isFailure(error, 'cancelled'));
  await model.step();
  await model.step();
  assert.deepEqual(
    model.batches.map(({ items }) => items),
    [[1], [3]],
  );
  assert.deepEqual(
    (await Promise.all([first, stays])).map(({ result }) => result),
    [10, 30],
  );
});

test('a full queue refuses one more', async () => {
  const model = steppedModel();
  const { submit } = batcher(model, 1);
  const waiting = [submit(1, never), submit(2, never)];
  await assert.rejects(submit(3, never), (error) => isFailure(error, 'overloaded'));
  await model.step();
  await model.step();
  await Promise.all(waiting);
});

test('a failed batch fails its own entries and no others', async () => {
  const model = steppedModel();
  const { submit } = batcher(model);
  const first = submit(1, never);
  const second = submit(2, never);
  model.batches[0]?.fail(new Error('the model broke'));
  await assert.rejects(first, /the model broke/);
  await model.step();
  assert.equal((await second).result, 20);
});

test('a time-out is told apart from a caller who left', async () => {
  const model = steppedModel();
  const { submit } = batcher(model);
  const first = submit(1, never);
  const timeout = new AbortController();
  const late = submit(2, timeout.signal);
  timeout.abort(new DOMException('The deadline passed.', 'TimeoutError'));
  await assert.rejects(late, (error) => isFailure(error, 'deadline_exceeded'));
  await model.step();
  await first;
});
