import pLimit from 'p-limit';
import type { CoverEncoder, CoverIndex, ImageFetcher } from '../core/ports.ts';
import { createIdTurns } from './id-turns.ts';
import { createIndexJob, type RunIndexJob } from './index-job.ts';
import { createWritePlanner } from './plan-write.ts';

export interface CoverIndexer {
  readonly index: RunIndexJob;
  /** Settles when everything on disk by now can be found; rejects when the graph could not take some of it. */
  settled(): Promise<void>;
}

export interface CoverIndexerDeps {
  readonly index: Pick<CoverIndex, 'get' | 'tokens' | 'thumbnail' | 'write'>;
  readonly encoder: CoverEncoder;
  readonly fetcher: ImageFetcher;
  /** Dimension of the bundle's embeddings, which items that bring their own must have. */
  readonly embeddingDim: number;
  /** Items worked on at once (fetched, decoded, encoded), over all jobs. */
  readonly concurrency?: number;
}

/** Enough to keep fetching, decoding and the image tower's batches busy side by side. */
export const ITEMS_AT_ONCE = 32;

/** Every job shares one limit on work under way and one order per id. */
export function createCoverIndexer(deps: CoverIndexerDeps): CoverIndexer {
  const concurrency = deps.concurrency ?? ITEMS_AT_ONCE;
  const becomingSearchable = new Set<Promise<void>>();

  const runJob = createIndexJob({
    plan: createWritePlanner(deps),
    write(writes) {
      const written = deps.index.write(writes);
      const { durable, searchable } = written;
      // What never got to disk was not written: its own job tells of it, and the others must not end with its error.
      durable.then(
        () => {
          becomingSearchable.add(searchable);
          // Whoever waits for it hears of a failure; here it is only forgotten once it is over.
          const forget = (): unknown => becomingSearchable.delete(searchable);
          searchable.then(forget, forget);
        },
        () => {},
      );
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
