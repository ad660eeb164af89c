import type { CoverrankError } from '../core/errors.ts';
import type { WriteResult } from '../core/ports.ts';
import type { Attributes } from '../core/types.ts';

/** One item of a re-indexing job, checked for form (see item.ts). */
export type IndexItem = DeleteItem | UpsertItem;

export interface DeleteItem {
  readonly id: string;
  readonly delete: true;
}

export interface UpsertItem {
  readonly id: string;
  readonly source: { readonly url: string } | { readonly bytes: Uint8Array } | { readonly embedding: Float32Array };
  readonly title: string | undefined;
  readonly attributes: Attributes;
  /** Skip inference when the same image bytes were indexed by the same bundle before. */
  readonly ifChanged: boolean;
}

/** An item that failed its checks, kept in place so that outcomes stay in request order. */
export interface RejectedItem {
  readonly id: string;
  readonly error: CoverrankError;
}

export interface ItemOutcome {
  readonly id: string;
  readonly result?: WriteResult | 'unchanged';
  readonly error?: CoverrankError;
}

export interface IndexOptions {
  readonly signal: AbortSignal;
  /** `searchable`: outcomes come once the graph holds the cover; `durable`: once it is on disk. */
  readonly until: 'searchable' | 'durable';
}

export interface CoverIndexer {
  /**
   * Outcomes in the order of the items, as they become ready; one bad item never fails the rest. Of several items with
   * the same id the last one stands. Pulls items only as fast as it can work on them.
   */
  index(
    items: AsyncIterable<IndexItem | RejectedItem> | Iterable<IndexItem | RejectedItem>,
    options: IndexOptions,
  ): AsyncIterable<ItemOutcome>;
  /** Settles when everything written so far can be found. */
  settled(): Promise<void>;
}
