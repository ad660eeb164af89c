import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { failure } from '../../src/core/errors.ts';
import type { ImageFetcher } from '../../src/core/ports.ts';
import type { ItemOutcome } from '../../src/indexing/index-job.ts';
import type { IndexItem } from '../../src/indexing/item.ts';
import { picture, setUp, told } from './index-set-up.ts';

test('outcomes come in order, and a bad item fails alone', async () => {
  const { index, run } = setUp();
  const outcomes = await run([
    picture('a', 'one'),
    { id: 'form', error: failure('invalid_request', 'bad form') },
    picture('b', 'broken'),
    picture('c', 'bug'),
    { id: 'gone', delete: true },
    picture('d', '', { source: { url: 'http://x.example/' } }),
    picture('e', 'two'),
  ]);
  assert.deepEqual(outcomes.map(told), [
    'a created',
    'form invalid_request',
    'b undecodable_image',
    'c internal',
    'gone not_found',
    'd fetch_failed',
    'e created',
  ]);
  assert.deepEqual([...index.covers.keys()], ['a', 'e']);
  assert.doesNotMatch(outcomes[3]?.error?.detail ?? '', /secret|function/);
});

test('an unchanged picture costs no inference, and no write when its metadata stand as well', async () => {
  const { index, encoder, run } = setUp();
  const item = picture('a', 'one', { title: 't', attributes: { x: 1, tags: ['p', 'q'] } });
  assert.deepEqual((await run([item])).map(told), ['a created']);
  assert.deepEqual((await run([{ ...item, attributes: { tags: ['p', 'q'], x: 1 } }])).map(told), ['a unchanged']);
  assert.equal(index.batches.length, 1);

  assert.deepEqual((await run([{ ...item, title: 'u' }])).map(told), ['a updated']);
  assert.deepEqual((await run([{ ...item, title: 'u', attributes: { x: 2 } }])).map(told), ['a updated']);
  assert.equal(encoder.encoded.length, 1);
  assert.equal(index.covers.get('a')?.title, 'u');
  assert.deepEqual(index.covers.get('a')?.attributes, { x: 2 });
  assert.notEqual(index.covers.get('a')?.content, undefined);

  assert.deepEqual((await run([{ ...item, ifChanged: false }])).map(told), ['a updated']);
  assert.deepEqual((await run([picture('a', 'other')])).map(told), ['a updated']);
  assert.equal(encoder.encoded.length, 3);
});

test('a fetched picture is compared by its bytes, not its address', async () => {
  const fetcher: ImageFetcher = { fetch: async (url) => Buffer.from(new URL(url).pathname) };
  const { encoder, run } = setUp({ fetcher });
  const at = (url: string) => picture('a', '', { source: { url } });
  assert.deepEqual((await run([at('http://one.example/1')])).map(told), ['a created']);
  assert.deepEqual((await run([at('http://one.example/1')])).map(told), ['a unchanged']);
  assert.deepEqual((await run([at('http://two.example/1')])).map(told), ['a updated']);
  assert.deepEqual(encoder.encoded, ['/1']);
});

test('embeddings are checked and normalised', async () => {
  const { index, encoder, run } = setUp();
  const vector = (id: string, ...numbers: number[]) =>
    picture(id, '', { source: { embedding: Float32Array.from(numbers) } });
  const outcomes = await run([
    vector('a', 3, 0, 4),
    vector('short', 1, 2),
    vector('nan', 1, Number.NaN, 0),
    vector('huge', 1e39, 0, 0),
    vector('zero', 0, 0, 0),
    vector('large', 3e38, 3e38, 0),
    vector('tiny', 1e-44, 0, 0),
  ]);
  assert.deepEqual(outcomes.map(told), [
    'a created',
    'short invalid_embedding',
    'nan invalid_embedding',
    'huge invalid_embedding',
    'zero invalid_embedding',
    'large created',
    'tiny created',
  ]);
  const embedding = (id: string) => Array.from(index.covers.get(id)?.content?.features.embedding ?? []);
  assert.deepEqual(embedding('a'), [Math.fround(0.6), 0, Math.fround(0.8)]);
  assert.deepEqual(embedding('large'), [Math.fround(Math.SQRT1_2), Math.fround(Math.SQRT1_2), 0]);
  assert.deepEqual(embedding('tiny'), [1, 0, 0]);
  assert.deepEqual(encoder.encoded, []);
});

test('of several items with one id each sees the former and the last stands', async () => {
  const { index, encoder, run } = setUp({ concurrency: 8 });
  // The first is the slowest: without an order among equals the others would overtake it.
  encoder.work = async (text) => {
    for (let turn = 0; turn < (text === 'one' ? 20 : 1); turn++) await nextTurn();
  };
  const outcomes = await run([
    picture('a', 'one'),
    picture('a', 'one'),
    picture('b', 'x'),
    { id: 'a', delete: true },
    { id: 'a', delete: true },
    picture('a', 'two', { title: 'last' }),
  ]);
  const expected = ['a created', 'a unchanged', 'b created', 'a deleted', 'a not_found', 'a created'];
  assert.deepEqual(outcomes.map(told), expected);
  assert.equal(index.covers.get('a')?.title, 'last');
});

test('jobs that name the same ids in opposite order both finish', async () => {
  const { run } = setUp({ concurrency: 2 });
  const ids = Array.from({ length: 40 }, (_, index) => `id${index}`);
  const forth = ids.map((id) => picture(id, `forth ${id}`));
  const back = ids.toReversed().map((id) => picture(id, `back ${id}`));
  const [first, second] = await Promise.all([run(forth), run(back)]);
  assert.equal(first?.filter(({ error }) => error === undefined).length, 40);
  assert.equal(second?.filter(({ error }) => error === undefined).length, 40);
});

test('any job ends as if its items had been applied one by one', async () => {
  const id = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    id.map((id): IndexItem => ({ id, delete: true })),
    fc
      .tuple(id, fc.constantFrom('one', 'two', 'broken'), fc.constantFrom('t', 'u'))
      .map(([id, image, title]): IndexItem => picture(id, image, { title })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (items) => {
      const together = setUp({ concurrency: 3 });
      const one = setUp();
      const outcomes = await together.run(items);
      const expected: ItemOutcome[] = [];
      for (const item of items) expected.push(...(await one.run([item])));
      assert.deepEqual(outcomes.map(told), expected.map(told));
      assert.deepEqual(new Map([...together.index.covers].sort()), new Map([...one.index.covers].sort()));
    }),
    { numRuns: 40 },
  );
});

test('items that are ready together share a transaction', async () => {
  const { index, run } = setUp({ concurrency: 64 });
  let letGo: () => void = () => {};
  index.disk = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const running = run(Array.from({ length: 100 }, (_, index) => picture(`id${index}`, `picture ${index}`)));
  for (let turn = 0; turn < 200; turn++) await nextTurn();
  letGo();
  assert.equal((await running).length, 100);
  assert.ok(index.batches.length <= 4, `${index.batches.length} transactions for 100 items`);
});

test('a full disk fails what it could not take and nothing else', async () => {
  const { index, run } = setUp();
  await run([picture('a', 'one')]);
  index.fail = failure('storage_full', 'The disk is full.');
  const outcomes = await run([
    picture('a', 'one'),
    picture('b', 'two'),
    picture('c', 'broken'),
    { id: 'a', delete: true },
  ]);
  assert.deepEqual(outcomes.map(told), ['a unchanged', 'b storage_full', 'c undecodable_image', 'a storage_full']);
  index.fail = undefined;
  assert.deepEqual((await run([picture('b', 'two')])).map(told), ['b created']);
});

test('searchable waits for the graph, durable does not', async () => {
  const { index, indexer, run } = setUp();
  index.graphDelayMs = 30;
  await run([picture('a', 'one')], 'durable');
  assert.equal(index.searchable.has('a'), false);
  await indexer.settled();
  assert.equal(index.searchable.has('a'), true);
  await run([picture('b', 'two')], 'searchable');
  assert.equal(index.searchable.has('b'), true);

  index.graphFailure = new Error('graph');
  assert.deepEqual((await run([picture('c', 'three')], 'searchable')).map(told), ['c unavailable']);
  assert.deepEqual((await run([picture('d', 'four')], 'durable')).map(told), ['d created']);
  await assert.rejects(indexer.settled(), /graph/);
  await indexer.settled();
});

test('a write that never got to disk fails its own job and nobody who waits for what did', async () => {
  const { index, indexer, run } = setUp();
  await run([picture('a', 'one')], 'durable');
  let letGo: () => void = () => {};
  index.disk = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  index.fail = failure('storage_full', 'The disk is full.');
  const failing = run([picture('b', 'two')], 'durable');
  for (let turn = 0; turn < 200; turn++) await nextTurn();
  const settled = indexer.settled();
  letGo();
  assert.deepEqual((await failing).map(told), ['b storage_full']);
  await settled;
});
