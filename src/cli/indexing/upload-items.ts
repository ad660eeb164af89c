import { setTimeout as sleep } from 'node:timers/promises';
import type { CoverrankError } from '../../core/errors.ts';
import type { ItemAnswer, ServiceClient } from '../service-client.ts';
import type { IndexProgress, RejectedRow } from './index-progress.ts';
import type { ItemJson, ItemSource, SourceItem } from './item-source.ts';

export type IndexCounts = Readonly<Record<'items' | 'failed' | (typeof RESULTS)[number], number>>;

export interface UploadOptions {
  /** Batches on their way at once. */
  readonly concurrency: number;
  /** Pause before items that may pass later are sent again; it doubles from one round to the next. */
  readonly retryPauseMs?: number;
  readonly onProgress?: (endsAt: number, counts: IndexCounts) => void;
}

interface Batch {
  readonly items: readonly SourceItem[];
  readonly ids: ReadonlySet<unknown>;
}

const RESULTS = ['created', 'updated', 'unchanged', 'deleted', 'not_found'] as const;
const RETRY_ROUNDS = 2;
const RETRY_PAUSE_MS = 1000;
const BATCH_ITEMS = 256;
const BATCH_BYTES = 8 * 1024 * 1024;
/** What an item takes besides its picture, roughly; batches only need a size of the right order. */
const ITEM_BYTES = 1024;

/**
 * Sends a source's items in batches, some at once, and settles them in order, so that one number says how far the job
 * came. A batch that names an id which is still on its way waits: of several items with one id the last must stand.
 */
export async function uploadItems(
  source: ItemSource,
  client: ServiceClient,
  progress: IndexProgress,
  { concurrency, retryPauseMs = RETRY_PAUSE_MS, onProgress }: UploadOptions,
): Promise<IndexCounts> {
  const counts = { items: 0, failed: 0, created: 0, updated: 0, unchanged: 0, deleted: 0, not_found: 0 };
  const underWay: { readonly batch: Batch; readonly answers: Promise<ItemAnswer[]> }[] = [];

  async function settleFirst(): Promise<void> {
    const first = underWay.shift();
    if (first === undefined) return;
    const rejected = settle(first.batch, await first.answers, counts);
    await progress.reject(rejected);
    const last = first.batch.items.at(-1);
    if (last === undefined) return;
    await progress.save(last.position + 1);
    onProgress?.(last.endsAt, counts);
  }

  for await (const batch of inBatches(source.items(progress.resumeFrom))) {
    while (underWay.length >= concurrency || underWay.some((other) => sharesIds(other.batch, batch))) {
      await settleFirst();
    }
    const answers = send(batch, client, retryPauseMs);
    answers.catch(() => {}); // heard of when its turn comes to be settled
    underWay.push({ batch, answers });
  }
  while (underWay.length > 0) await settleFirst();
  await progress.finish();
  return counts;
}

/** One answer per item that could be read; those that failed for the moment only get a second and a third try. */
async function send({ items }: Batch, client: ServiceClient, retryPauseMs: number): Promise<ItemAnswer[]> {
  const ready = items.flatMap(({ content }) => ('item' in content ? [content.item] : []));
  if (ready.length === 0) return [];
  const answers = await client.index(ready);
  for (let round = 0; round < RETRY_ROUNDS; round++) {
    const places = answers.flatMap((answer, place) => (mayPassLater(answer, place, ready) ? [place] : []));
    if (places.length === 0) break;
    await sleep(retryPauseMs * 2 ** round);
    const again = await client.index(places.map((place) => ready[place] as ItemJson));
    for (const [i, place] of places.entries()) answers[place] = again[i] as ItemAnswer;
  }
  return answers;
}

/** Not when a later item of the batch has the same id: sent again, this one would stand in its place. */
function mayPassLater({ error }: ItemAnswer, place: number, items: readonly ItemJson[]): boolean {
  return error?.retryable === true && !items.some(({ id }, other) => other > place && id === items[place]?.['id']);
}

/** Adds a batch's answers to the counts and returns what failed, with the items as the source has them. */
function settle(
  { items }: Batch,
  answers: readonly ItemAnswer[],
  counts: Record<keyof IndexCounts, number>,
): RejectedRow[] {
  const rejected: RejectedRow[] = [];
  const answered = answers.values();
  for (const { content, origin } of items) {
    const answer = 'item' in content ? answered.next().value : { error: told(content.error) };
    counts.items += 1;
    if (answer?.error !== undefined) {
      counts.failed += 1;
      rejected.push({ item: origin, error: answer.error });
      continue;
    }
    const result = RESULTS.find((name) => name === (answer as ItemAnswer | undefined)?.result);
    if (result !== undefined) counts[result] += 1;
  }
  return rejected;
}

function told({ code, detail, retryable }: CoverrankError): RejectedRow['error'] {
  return { code, detail, retryable };
}

async function* inBatches(items: AsyncIterable<SourceItem>): AsyncGenerator<Batch> {
  let batch: SourceItem[] = [];
  let bytes = 0;
  const finish = (): Batch => {
    const done = { items: batch, ids: new Set(batch.flatMap(idOf)) };
    batch = [];
    bytes = 0;
    return done;
  };
  for await (const item of items) {
    batch.push(item);
    bytes += 'item' in item.content ? sizeOf(item.content.item) : 0;
    if (batch.length >= BATCH_ITEMS || bytes >= BATCH_BYTES) yield finish();
  }
  if (batch.length > 0) yield finish();
}

function idOf({ content }: SourceItem): unknown[] {
  return 'item' in content ? [content.item['id']] : [];
}

function sizeOf({ image_base64, embedding }: ItemJson): number {
  const picture = typeof image_base64 === 'string' ? image_base64.length : 0;
  return ITEM_BYTES + picture + (Array.isArray(embedding) ? embedding.length * 12 : 0);
}

function sharesIds(one: Batch, other: Batch): boolean {
  return [...other.ids].some((id) => one.ids.has(id));
}
