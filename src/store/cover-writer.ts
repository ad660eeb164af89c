import { type ErrorCode, isFailure } from '../core/errors.ts';
import type { WriteResult } from '../core/ports.ts';
import type { Attributes } from '../core/types.ts';
import type { CoverStore, EncodedContent } from './cover-store.ts';
import { isDiskFull, isUnwritable } from './disk/disk-failure.ts';
import { reached } from './disk/durable-steps.ts';
import { demandRoom, demandRoomToGrow } from './lmdb/disk-room.ts';

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
/** Leaves that may change: one in each of the six trees, and one more in each when it has to be split. */
const PAGES_PER_DELETE = 6;
const PAGES_PER_CONTENT = 6;
/** Of the log, which is dropped from its beginning; at least. */
const ENTRIES_PER_PAGE = 10;
const LABELS_AT_ONCE = 1_000;

/**
 * Writes several batches in one fsynced transaction. When that fails each batch is tried alone, so that none fails for
 * the size of its neighbours.
 */
export function commitBatches(store: CoverStore, batches: readonly (readonly EncodedWrite[])[]): BatchOutcome[] {
  try {
    return commitTogether(store, batches);
  } catch (error) {
    const [batch] = batches;
    if (batch === undefined || batches.length === 1) return [outcomeOf(store, error)];
  }
  return batches.flatMap((batch) => commitBatches(store, [batch]));
}

function outcomeOf(store: CoverStore, error: unknown): BatchOutcome {
  const reason = reasonOf(error);
  if (isFailure(error)) return { error: { code: error.code, detail: error.detail, reason } };
  if (isDiskFull(store.path, error)) {
    return { error: { code: 'storage_full', detail: 'The disk is full: nothing of this batch was written.', reason } };
  }
  if (!isUnwritable(error)) return { error: { code: 'internal', detail: 'The write failed.', reason } };
  const detail = 'The disk does not take writes: nothing of this batch was written.';
  return { error: { code: 'unavailable', detail, reason } };
}

function demandRoomFor(store: CoverStore, writes: readonly EncodedWrite[]): void {
  const contents = writes.flatMap((write) => (write.op === 'upsert' && write.content ? [write.content] : []));
  const bytes = contents.reduce((sum, { embedding, tokens, thumbnail }) => {
    return sum + embedding.length + (tokens?.length ?? 0) + (thumbnail?.length ?? 0);
  }, 0);
  const pages = PAGES_PER_DELETE * writes.length + PAGES_PER_CONTENT * contents.length;
  if (writes.every(({ op }) => op === 'delete')) demandRoom(store.path, { bytes, pages });
  else demandRoomToGrow(store.path, { bytes, pages }, store.freeInside);
}

/** Drops the log up to and including `sequence`, in transactions small enough not to hold up writes for long. */
export function trimLog(store: CoverStore, sequence: number, limit: number): boolean {
  demandRoom(store.path, { bytes: 0, pages: limit / ENTRIES_PER_PAGE });
  const trimmed = store.transaction(() => store.trimLog(sequence, limit));
  reached('log trimmed');
  return trimmed === limit;
}

function commitTogether(store: CoverStore, batches: readonly (readonly EncodedWrite[])[]): BatchOutcome[] {
  demandRoomFor(store, batches.flat());
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
    const replaced = standingLabel(store, id);
    if (replaced === undefined) return 'not_found';
    store.deleteCover(id);
    store.deleteContent(replaced);
    store.putLogEntry({ sequence, id, label: 0, replaced });
    return 'deleted';
  }
  const { imageUrl, title, attributes, content } = write;
  if (content === undefined) {
    // What it keeps stands in the record alone, so there is no writing over a damaged one.
    const before = store.cover(id);
    if (before === undefined) return 'not_found';
    store.putCover({ ...before, sequence, imageUrl, title, attributes });
    store.putLogEntry({ sequence, id, label: before.label, replaced: 0 });
    return 'updated';
  }
  const replaced = standingLabel(store, id);
  if (replaced !== undefined) store.deleteContent(replaced);
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
  store.putLogEntry({ sequence, id, label: sequence, replaced: replaced ?? 0 });
  return replaced === undefined ? 'created' : 'updated';
}

/** The content that the cover has now; 0 for a damaged cover that has none, undefined when there is no such cover. */
function standingLabel(store: CoverStore, id: string): number | undefined {
  try {
    return store.labelOf(id);
  } catch (error) {
    if (!isFailure(error, 'corrupt_data')) throw error;
    return contentOfDamaged(store, id);
  }
}

/**
 * The content of a cover whose record cannot be read, by what each content says whose it is, of which it looks at all;
 * 0 when none is the cover's. Fails with `corrupt_data` where it cannot be told: over content that stays behind the next
 * start would refuse the store.
 */
function contentOfDamaged(store: CoverStore, id: string): number {
  let unreadable: unknown;
  let labels = store.labelsAfter(0, LABELS_AT_ONCE);
  while (labels.length > 0) {
    for (const label of labels) {
      try {
        if (store.idOf(label) === id) return label;
      } catch (error) {
        unreadable = error;
      }
    }
    labels = store.labelsAfter(labels.at(-1) as number, LABELS_AT_ONCE);
  }
  if (unreadable !== undefined) throw unreadable;
  return 0;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
