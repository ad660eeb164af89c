import { failure } from '../../src/core/errors.ts';
import type { ImageFetcher } from '../../src/core/ports.ts';
import { createCoverIndexer } from '../../src/indexing/index-covers.ts';
import type { ItemOutcome } from '../../src/indexing/index-job.ts';
import type { IndexItem, RejectedItem, UpsertItem } from '../../src/indexing/item.ts';
import { HashEncoder, MemoryIndex } from './memory-ports.ts';

export const never = new AbortController().signal;
const noFetcher: ImageFetcher = { fetch: () => Promise.reject(failure('fetch_failed', 'No fetching here.')) };

export function setUp(options: { concurrency?: number; fetcher?: ImageFetcher } = {}) {
  const index = new MemoryIndex();
  const encoder = new HashEncoder();
  const { fetcher = noFetcher, concurrency = 4 } = options;
  const indexer = createCoverIndexer({ index, encoder, fetcher, embeddingDim: 3, concurrency });
  const run = async (items: Iterable<IndexItem | RejectedItem>, until: 'searchable' | 'durable' = 'searchable') =>
    await collect(indexer.index(items, { signal: never, until }));
  return { index, encoder, indexer, run };
}

export function picture(id: string, image: string, more: Partial<UpsertItem> = {}): UpsertItem {
  return { id, source: { bytes: Buffer.from(image) }, title: undefined, attributes: {}, ifChanged: true, ...more };
}

export async function collect(outcomes: AsyncIterable<ItemOutcome>): Promise<ItemOutcome[]> {
  const all: ItemOutcome[] = [];
  for await (const outcome of outcomes) all.push(outcome);
  return all;
}

export function told({ id, result, error }: ItemOutcome): string {
  return `${id} ${result ?? error?.code}`;
}
