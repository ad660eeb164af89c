import { serveThread } from '../core/thread.ts';
import { openCoverStore } from './cover-store.ts';
import { type BatchOutcome, commitBatches, type EncodedWrite, trimLog } from './cover-writer.ts';

/** The thread that writes: a commit waits for the disk, and the event loop must not. */
export type CoverWriterMethods = {
  commit(batches: readonly (readonly EncodedWrite[])[]): BatchOutcome[];
  /** True when there may be more to drop. */
  trimLog(range: { readonly upTo: number; readonly limit: number }): boolean;
  /** Whether all that it read of the store was whole. */
  close(argument: null): Promise<boolean>;
};

await serveThread<{ readonly path: string }>(({ path }): CoverWriterMethods => {
  const store = openCoverStore(path);
  return {
    commit: (batches) => commitBatches(store, batches),
    trimLog: ({ upTo, limit }) => trimLog(store, upTo, limit),
    close: () => store.close(),
  };
});
