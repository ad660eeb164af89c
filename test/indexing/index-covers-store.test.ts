import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { failure } from '../../src/core/errors.ts';
import type { CoverEncoder, CoverIndex, DecodedImage } from '../../src/core/ports.ts';
import { createCoverIndexer } from '../../src/indexing/index-covers.ts';
import type { IndexItem } from '../../src/indexing/item.ts';
import { normalisedEmbedding } from '../../src/indexing/plan-write.ts';
import { openCoverIndex } from '../../src/store/cover-index.ts';
import type { TokenShape } from '../../src/store/record-codec.ts';
import { damageInPlace } from '../store/damage-in-place.ts';
import { HashEncoder } from './memory-ports.ts';

/** Indexing on top of the real store: what the in-memory port of the other tests stands for. */

const DIMENSION = 4;
const never = new AbortController().signal;

class UnitEncoder extends HashEncoder {
  override async encode(bytes: Uint8Array, signal: AbortSignal): Promise<DecodedImage> {
    const { features, thumbnail } = await super.encode(bytes, signal);
    return { features: { ...features, embedding: normalisedEmbedding(features.embedding, DIMENSION) }, thumbnail };
  }
}

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-indexing-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function open(dataDir: string, tokens: TokenShape | null = null): Promise<CoverIndex> {
  return openCoverIndex({ dataDir, bundle: { name: 'test', hash: 'h' }, embeddingDim: DIMENSION, tokens });
}

async function run(
  index: CoverIndex,
  items: Iterable<IndexItem>,
  encoder: CoverEncoder = new UnitEncoder(),
): Promise<string[]> {
  const fetcher = { fetch: () => Promise.reject(failure('fetch_failed', 'No fetching here.')) };
  const indexer = createCoverIndexer({ index, encoder, fetcher, embeddingDim: DIMENSION });
  const told: string[] = [];
  for await (const { id, result, error } of indexer.index(items, { signal: never, until: 'searchable' })) {
    told.push(`${id} ${result ?? error?.code}`);
  }
  return told;
}

/** Everything that can be known of the covers, but for the numbers of their writes. */
function contents(index: CoverIndex, ids: readonly string[]): unknown[] {
  return ids.map((id) => ({ ...index.get(id), sequence: undefined, thumbnail: index.thumbnail(id)?.contentType }));
}

const ids = ['a', 'b', '猫'];
const step = fc.oneof(
  fc.constantFrom(...ids).map((id): IndexItem => ({ id, delete: true })),
  fc.tuple(fc.constantFrom(...ids), fc.constantFrom('one', 'two', 'broken'), fc.constantFrom('t', undefined)).map(
    ([id, image, title]): IndexItem => ({
      id,
      source: { bytes: Buffer.from(image) },
      title,
      attributes: { image },
      ifChanged: true,
    }),
  ),
);

test('a job ends as if its items had been applied one by one', async (t) => {
  const folder = await newFolder(t);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (items) => {
      runs += 1;
      const together = await open(join(folder, `together-${runs}`));
      const one = await open(join(folder, `one-${runs}`));
      try {
        const told = await run(together, items);
        const expected: string[] = [];
        for (const item of items) expected.push(...(await run(one, [item])));
        assert.deepEqual(told, expected);
        assert.deepEqual(contents(together, ids), contents(one, ids));
      } finally {
        await together.close();
        await one.close();
      }
    }),
    { numRuns: 5 },
  );
});

test('what a job wrote is found, and after a restart it is unchanged', async (t) => {
  const folder = await newFolder(t);
  const items: IndexItem[] = Array.from({ length: 300 }, (_, number) => ({
    id: `id${number}`,
    source: { bytes: Buffer.from(`picture ${number}`) },
    title: undefined,
    attributes: { number },
    ifChanged: true,
  }));
  const index = await open(folder);
  const created = await run(index, items);
  assert.deepEqual(
    created,
    items.map(({ id }) => `${id} created`),
  );
  const { embedding } = (await new UnitEncoder().encode(Buffer.from('picture 123'), never)).features;
  const { neighbors } = await index.recall({ embedding, k: 1 }, never);
  assert.equal(neighbors[0]?.id, 'id123');
  await index.close();

  const reopened = await open(folder);
  t.after(() => reopened.close());
  const sequence = reopened.status().sequence;
  assert.deepEqual(
    await run(reopened, items),
    items.map(({ id }) => `${id} unchanged`),
  );
  assert.equal(reopened.status().sequence, sequence);
});

/** One whose tokens and thumbnail can be found in a file. */
class TokenEncoder extends UnitEncoder {
  static readonly shape = { count: 2, width: 16 };
  static readonly values = Int8Array.from({ length: 32 }, (_, i) => 7 * i);
  static readonly picture = Buffer.from('what a thumbnail is made of');

  override async encode(bytes: Uint8Array, signal: AbortSignal): Promise<DecodedImage> {
    const { features } = await super.encode(bytes, signal);
    const tokens = { values: TokenEncoder.values, scales: Float32Array.of(1, 2) };
    return {
      features: { ...features, tokens },
      thumbnail: { bytes: TokenEncoder.picture, contentType: 'image/webp' },
    };
  }
}

test('a picture whose tokens or thumbnail were damaged is not unchanged: indexing it again repairs them', async (t) => {
  const folder = await newFolder(t);
  const index = await open(folder, TokenEncoder.shape);
  t.after(() => index.close());
  const item = { id: 'a', source: { bytes: Buffer.from('one') }, title: undefined, attributes: {}, ifChanged: true };
  const again = () => run(index, [item], new TokenEncoder());
  assert.deepEqual(await again(), ['a created']);
  for (const part of [Buffer.from(TokenEncoder.values.buffer), TokenEncoder.picture]) {
    assert.deepEqual(await again(), ['a unchanged']);
    damageInPlace(join(folder, 'covers.lmdb'), part);
    assert.deepEqual(await again(), ['a updated']);
    assert.deepEqual(index.tokens(['a'])[0]?.values, TokenEncoder.values);
    assert.deepEqual(Buffer.from(index.thumbnail('a')?.bytes ?? []), TokenEncoder.picture);
  }
});
