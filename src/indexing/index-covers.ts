import pLimit from 'p-limit';
import type { CoverrankError } from '../core/errors.ts';
import type { CoverEncoder, CoverIndex, ImageFetcher, WriteResult } from '../core/ports.ts';
import type { Attributes } from '../core/types.ts';
import { createIdTurns } from './id-turns.ts';
import { createIndexJob } from './index-job.ts';
import { createWritePlanner } from './plan-write.ts';

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

/** Either `result` or `error`. */
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
   *
   * Throws what the source threw, or `cancelled`/`deadline_exceeded` when the signal fired before the source ended, in
   * both cases after the outcomes of all items that were read; those not yet on disk by then carry that error. Nothing
   * is written any more once the iteration has ended, also when its consumer leaves early.
   */
  index(
    items: AsyncIterable<IndexItem | RejectedItem> | Iterable<IndexItem | RejectedItem>,
    options: IndexOptions,
  ): AsyncIterable<ItemOutcome>;
  /** Settles when everything written so far can be found; rejects when the graph could not take some of it. */
  settled(): Promise<void>;
}

export interface CoverIndexerDeps {
  readonly index: Pick<CoverIndex, 'get' | 'write'>;
  readonly encoder: CoverEncoder;
  readonly fetcher: ImageFetcher;
  /** Dimension of the bundle's embeddings, which items that bring their own must have. */
  readonly embeddingDim: number;
  /** Items worked on at once (fetched, decoded, encoded), over all jobs. */
  readonly concurrency?: number;
}

const DEFAULT_CONCURRENCY = 32;

/** Every job shares one limit on work under way and one order per id. */
export function createCoverIndexer(deps: CoverIndexerDeps): CoverIndexer {
  const concurrency = deps.concurrency ?? DEFAULT_CONCURRENCY;
  const becomingSearchable = new Set<Promise<void>>();

  const runJob = createIndexJob({
    plan: createWritePlanner(deps),
    write(writes) {
      const written = deps.index.write(writes);
      becomingSearchable.add(written.searchable);
      // Whoever waits for it hears of a failure; here it is only forgotten once it is over.
      const forget = (): unknown => becomingSearchable.delete(written.searchable);
      written.searchable.then(forget, forget);
      return written;
    },
    limit: pLimit(concurrency),
    turns: createIdTurns(),
    // Twice as many as can be worked on: enough that a slow head of the line does not idle the encoder.
    maxInFlight: 2 * concurrency,
  });

  return {
    index: runJob,
    async settled() {
      await Promise.all(becomingSearchable);
    },
  };
}
