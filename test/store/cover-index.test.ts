import assert from 'node:assert/strict';
import test from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import {
  BUNDLE,
  DIM,
  exactIds,
  never,
  openForTest,
  openSample,
  randomEmbedding,
  randomNumbers,
  recallIds,
  sampleCovers,
  TOKENS,
  temporaryFolder,
  upsert,
  writeAll,
} from './sample-covers.ts';

test('what was written is read back', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  const tokens = {
    values: Int8Array.from({ length: TOKENS.count * TOKENS.width }, (_, i) => i - 7),
    scales: Float32Array.from([0.5, 0.25, 2]),
  };
  const thumbnail = { bytes: Uint8Array.from([1, 2, 3, 0, 255]), contentType: 'image/webp' };
  const attributes = { channel: 'food', views: 12, live: true, tags: ['a', 'b'] };
  const write = upsert(
    { ...cover, attributes },
    { content: { features: { embedding: cover.embedding, tokens, ocrPresence: 0.75 }, imageHash: 'abc', thumbnail } },
  );
  assert.deepEqual(await index.write([write]).durable, ['created']);

  assert.deepEqual(index.get(cover.id), {
    id: cover.id,
    sequence: 1,
    imageUrl: write.imageUrl,
    title: write.title,
    attributes,
    imageHash: 'abc',
    ocrPresence: 0.75,
    hasTokens: true,
    hasThumbnail: true,
  });
  assert.deepEqual(index.tokens(['nobody', cover.id]), [undefined, tokens]);
  assert.deepEqual(index.thumbnail(cover.id), thumbnail);
  assert.equal(index.get('nobody'), undefined);
  assert.equal(index.thumbnail('nobody'), undefined);
});

test('writes of one batch apply in order, also to the same id', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [a, b] = sampleCovers(2);
  assert.ok(a && b);
  const { durable, searchable } = index.write([
    upsert(a),
    { op: 'delete', id: b.id },
    upsert(b),
    { ...upsert(a), content: undefined, title: 'renamed' },
    { op: 'delete', id: b.id },
    { ...upsert(b), content: undefined },
    upsert({ id: a.id, embedding: b.embedding }),
  ]);
  assert.deepEqual(await durable, ['created', 'not_found', 'created', 'updated', 'deleted', 'not_found', 'updated']);
  await searchable;
  assert.equal(index.get(b.id), undefined);
  const { neighbors } = await index.recall({ embedding: b.embedding, k: 5 }, never());
  assert.deepEqual(
    neighbors.map(({ id }) => id),
    [a.id],
  );
  assert.ok(Math.abs((neighbors[0]?.cosine ?? 0) - 1) < 1e-6);
  const { covers, sequence, durableSequence } = index.status();
  assert.deepEqual({ covers, sequence, durableSequence }, { covers: 1, sequence: 5, durableSequence: 5 });
});

test('new metadata keeps the content', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  await writeAll(index, [cover]);
  const { durable, searchable } = index.write([
    { ...upsert({ ...cover, attributes: { channel: 'news' } }), title: undefined, content: undefined },
  ]);
  assert.deepEqual(await durable, ['updated']);
  await searchable;
  const record = index.get(cover.id);
  assert.deepEqual(
    {
      title: record?.title,
      imageHash: record?.imageHash,
      ocrPresence: record?.ocrPresence,
      sequence: record?.sequence,
    },
    { title: undefined, imageHash: 'f00d', ocrPresence: 0.25, sequence: 2 },
  );
  const { neighbors } = await index.recall({ embedding: cover.embedding, k: 1, filter: { channel: 'news' } }, never());
  assert.deepEqual(
    neighbors.map(({ id }) => id),
    [cover.id],
  );
});

test('a graph search finds what an exact one finds', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const covers = sampleCovers(3_000);
  await writeAll(index, covers);
  const random = randomNumbers(9);
  let found = 0;
  for (let i = 0; i < 20; i++) {
    const query = randomEmbedding(random);
    const { neighbors } = await index.recall({ embedding: query, k: 50 }, never());
    const cosines = neighbors.map(({ cosine }) => cosine);
    assert.deepEqual(
      cosines,
      cosines.toSorted((a, b) => b - a),
    );
    const exact = new Set(exactIds(query, covers, 50));
    found += neighbors.filter(({ id }) => exact.has(id)).length;
  }
  assert.ok(found / (20 * 50) >= 0.95, `recall ${found / 1000}`);
});

test('equal cosines come in the order of their ids, and k cuts after that', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  await writeAll(
    index,
    ['d', 'b', 'a', 'c', 'e'].map((id) => ({ id, embedding: cover.embedding })),
  );
  assert.deepEqual(await recallIds(index, cover.embedding, 3), ['a', 'b', 'c']);
});

test('candidates are scored exactly and once, and the missing are named', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const covers = sampleCovers(1_500);
  await writeAll(index, covers);
  const query = randomEmbedding(randomNumbers(4));
  const ids = covers.filter((_, i) => i % 2 === 0).map(({ id }) => id);
  const candidates = ['nobody', ...ids, ids[0] as string, 'nobody', '', '\ud800', 'x'.repeat(5_000)];
  const { neighbors, missing } = await index.recall({ embedding: query, k: 40, candidates }, never());
  const even = covers.filter((_, i) => i % 2 === 0);
  assert.deepEqual(
    neighbors.map(({ id }) => id),
    exactIds(query, even, 40),
  );
  assert.deepEqual(missing, ['nobody', '', '\ud800', 'x'.repeat(5_000)]);
});

test('candidates that a filter stops are neither found nor missing', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const covers = sampleCovers(6).map((cover, i) => ({ ...cover, attributes: { even: i % 2 === 0 } }));
  await writeAll(index, covers);
  const query = randomEmbedding(randomNumbers(4));
  const { neighbors, missing } = await index.recall(
    { embedding: query, k: 10, candidates: covers.map(({ id }) => id), filter: { even: true } },
    never(),
  );
  assert.deepEqual(missing, []);
  assert.deepEqual(
    neighbors.map(({ id }) => id),
    exactIds(
      query,
      covers.filter((_, i) => i % 2 === 0),
      10,
    ),
  );
});

test('ids that differ only in odd ways are different covers', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const ids = [
    'a',
    'a\0',
    'a\0b',
    'a\0c',
    '\0',
    '__proto__',
    'constructor',
    'é',
    'e\u0301',
    '猫',
    '😀',
    ' ',
    'A',
    'x'.repeat(256),
  ];
  const random = randomNumbers(2);
  const covers = ids.map((id) => ({ id, embedding: randomEmbedding(random) }));
  await writeAll(index, covers);
  assert.equal(index.status().covers, ids.length);
  for (const { id, embedding } of covers) {
    assert.equal(index.get(id)?.title, `title of ${id}`);
    assert.deepEqual(await recallIds(index, embedding, 1), [id]);
  }
});

test('what cannot be stored is refused, and nothing of its batch is written', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  const refused = async (id: string, embedding: Float32Array, code: 'invalid_request' | 'invalid_embedding') => {
    const { durable, searchable } = index.write([upsert(cover), upsert({ id, embedding })]);
    await assert.rejects(durable, (error) => isFailure(error, code));
    await assert.rejects(searchable);
    assert.equal(index.get(cover.id), undefined);
  };
  await refused('', cover.embedding, 'invalid_request');
  await refused('x'.repeat(257), cover.embedding, 'invalid_request');
  await refused('\udc00', cover.embedding, 'invalid_request');
  await refused('short', cover.embedding.slice(1), 'invalid_embedding');
  await refused(
    'long',
    cover.embedding.map((value) => 2 * value),
    'invalid_embedding',
  );
  await refused(
    'nan',
    cover.embedding.map(() => Number.NaN),
    'invalid_embedding',
  );
  await assert.rejects(index.recall({ embedding: new Float32Array(DIM + 1), k: 1 }, never()), (error) =>
    isFailure(error, 'invalid_embedding'),
  );
});

test('a restart gives the same ranking', async (t) => {
  const dataDir = temporaryFolder(t);
  const covers = sampleCovers(2_500);
  const queries = Array.from({ length: 10 }, (_, i) => randomEmbedding(randomNumbers(100 + i)));
  const first = await openSample(dataDir);
  await writeAll(first, covers);
  await first.write(covers.slice(0, 200).map(({ id }) => ({ op: 'delete', id }))).searchable;
  const before = await Promise.all(queries.map((query) => first.recall({ embedding: query, k: 30 }, never())));
  await first.close();

  const events: string[] = [];
  const second = await openForTest(t, dataDir, { onEvent: ({ event }) => events.push(event) });
  const after = await Promise.all(queries.map((query) => second.recall({ embedding: query, k: 30 }, never())));
  assert.deepEqual(after, before);
  assert.deepEqual(events, []);
  const { covers: held, deleted, graph } = second.status();
  assert.deepEqual(
    { held, deleted, state: graph.state, elements: graph.elements },
    { held: 2_300, deleted: 200, state: 'ready', elements: 2_500 },
  );
});

test('a folder of another bundle is refused by name', async (t) => {
  const dataDir = temporaryFolder(t);
  const index = await openSample(dataDir);
  await writeAll(index, sampleCovers(2));
  await index.close();
  await assert.rejects(openSample(dataDir, { bundle: { name: 'newer', hash: 'b'.repeat(64) } }), (error) => {
    assert.ok(isFailure(error, 'bundle_mismatch'));
    for (const part of [BUNDLE.name, 'newer', 'aaaaaaaaaaaa', 'bbbbbbbbbbbb', '--data-dir']) {
      assert.ok(error.detail.includes(part), `${part} in ${error.detail}`);
    }
    return true;
  });
  await (await openSample(dataDir)).close();
});

test('a folder that nothing was written to goes with the bundle that opens it', async (t) => {
  const dataDir = temporaryFolder(t);
  const newer = { name: 'newer', hash: 'b'.repeat(64) };
  await (await openSample(dataDir)).close();
  const index = await openSample(dataDir, { bundle: newer, embeddingDim: 4, tokens: null });
  await writeAll(index, [{ id: 'a', embedding: Float32Array.of(1, 0, 0, 0) }]);
  await index.write([{ op: 'delete', id: 'a' }]).searchable;
  await index.close();
  await assert.rejects(openSample(dataDir), (error) => isFailure(error, 'bundle_mismatch'));
  const again = await openForTest(t, dataDir, { bundle: newer, embeddingDim: 4, tokens: null });
  assert.deepEqual([again.status().covers, again.status().bundle], [0, newer]);
});

test('a closed index says so', async (t) => {
  const index = await openSample(temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  const closing = index.close();
  await assert.rejects(index.write([upsert(cover)]).durable, (error) => isFailure(error, 'draining'));
  await closing;
  await index.close();
});

test('a search whose signal has fired is not done', async (t) => {
  const index = await openForTest(t, temporaryFolder(t));
  const [cover] = sampleCovers(1);
  assert.ok(cover);
  await writeAll(index, [cover]);
  await assert.rejects(index.recall({ embedding: cover.embedding, k: 1 }, AbortSignal.abort()), (error) =>
    isFailure(error, 'cancelled'),
  );
});
