import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorCode } from '../core/errors.ts';
import type { WriteResult } from '../core/ports.ts';
import type { Attributes } from '../core/types.ts';
import type { CoverStore, EncodedContent } from './cover-store.ts';
import { reached } from './durable-steps.ts';
import { isDiskFull } from './full-disk.ts';

/** A write in the form in which it travels to the writer thread. */
export type EncodedWrite = EncodedUpsert | { readonly op: 'delete'; readonly id: string };

export interface EncodedUpsert {
  readonly op: 'upsert';
  readonly id: string;
  readonly imageUrl: string | undefined;
  readonly title: string | undefined;
  readonly attributes: Attributes;
  readonly content: (EncodedContent & ContentFacts) | undefined;
}

interface ContentFacts {
  readonly imageHash: string | undefined;
  readonly ocrPresence: number | undefined;
}

/** What became of one batch: its results, or why nothing of it was written. */
export type BatchOutcome =
  | { readonly results: readonly WriteResult[]; readonly sequence: number }
  | { readonly error: { readonly code: ErrorCode; readonly detail: string; readonly reason: string } };

/** Labels are sequences, and the graph's labels are 32 bits wide. */
const MAX_SEQUENCE = 0xffff_ffff;
/** Times that a batch is tried again on a full disk, and how long each waits for readers to move on. */
const RETRIES_WHEN_FULL = 3;
const RETRY_DELAY_MS = 20;

/**
 * Writes several batches in one fsynced transaction. When that fails each batch is tried alone, so that none fails for
 * the size of its neighbours.
 */
export async function commitBatches(
  store: CoverStore,
  batches: readonly (readonly EncodedWrite[])[],
): Promise<BatchOutcome[]> {
  try {
    return commitTogether(store, batches);
  } catch (error) {
    const [batch] = batches;
    if (batch === undefined || batches.length === 1) return [await commitAgain(store, batch ?? [], error)];
  }
  const outcomes: BatchOutcome[] = [];
  for (const batch of batches) outcomes.push(...(await commitBatches(store, [batch])));
  return outcomes;
}

/**
 * A disk that looks full may only need another transaction: pages freed by a delete are used again from the second
 * transaction after it, once no thread reads from a view older than that.
 */
async function commitAgain(store: CoverStore, batch: readonly EncodedWrite[], failed: unknown): Promise<BatchOutcome> {
  let error = failed;
  for (let retry = 0; isDiskFull(store.path, error); retry++) {
    if (retry === RETRIES_WHEN_FULL) {
      const detail = 'The disk is full: nothing of this batch was written.';
      return { error: { code: 'storage_full', detail, reason: reasonOf(error) } };
    }
    await delay(RETRY_DELAY_MS);
    try {
      store.transaction(() => store.putSequence(store.lastSequence()));
      const [outcome] = commitTogether(store, [batch]);
      if (outcome !== undefined) return outcome;
    } catch (again) {
      error = again;
    }
  }
  return { error: { code: 'internal', detail: 'The write failed.', reason: reasonOf(error) } };
}

/** Drops the log up to and including `sequence`, in transactions small enough not to hold up writes for long. */
export function trimLog(store: CoverStore, sequence: number, limit: number): boolean {
  const trimmed = store.transaction(() => store.trimLog(sequence, limit));
  reached('log trimmed');
  return trimmed === limit;
}

function commitTogether(store: CoverStore, batches: readonly (readonly EncodedWrite[])[]): BatchOutcome[] {
  const outcomes = store.transaction(() => {
    let sequence = store.lastSequence();
    const outcomes = batches.map((batch) => {
      const results = batch.map((write) => {
        if (sequence >= MAX_SEQUENCE)
          throw new Error('the store has used up its sequence numbers: re-index into a new one');
        const result = apply(store, write, sequence + 1);
        if (result !== 'not_found') sequence += 1;
        return result;
      });
      return { results, sequence };
    });
    store.putSequence(sequence);
    return outcomes;
  });
  reached('writes committed');
  return outcomes;
}

/** Writes one change as number `sequence`; `not_found` changes nothing and uses no number. */
function apply(store: CoverStore, write: EncodedWrite, sequence: number): WriteResult {
  const { id } = write;
  if (write.op === 'delete') {
    const replaced = store.labelOf(id);
    if (replaced === undefined) return 'not_found';
    store.deleteCover(id);
    store.deleteContent(replaced);
    store.putLogEntry({ sequence, id, label: 0, replaced });
    return 'deleted';
  }
  const before = store.cover(id);
  const { imageUrl, title, attributes, content } = write;
  if (content === undefined) {
    if (before === undefined) return 'not_found';
    store.putCover({ ...before, sequence, imageUrl, title, attributes });
    store.putLogEntry({ sequence, id, label: before.label, replaced: 0 });
    return 'updated';
  }
  if (before !== undefined) store.deleteContent(before.label);
  store.putCover({
    id,
    sequence,
    label: sequence,
    imageUrl,
    title,
    attributes,
    imageHash: content.imageHash,
    ocrPresence: content.ocrPresence,
    hasTokens: content.tokens !== undefined,
    hasThumbnail: content.thumbnail !== undefined,
  });
  store.putContent(sequence, id, content);
  store.putLogEntry({ sequence, id, label: sequence, replaced: before?.label ?? 0 });
  return before === undefined ? 'created' : 'updated';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
