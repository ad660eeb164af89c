import { failure } from '../core/errors.ts';
import type { WriteResult } from '../core/ports.ts';
import type { BatchOutcome, EncodedWrite } from './cover-writer.ts';

/** What a batch became once it was on disk. */
export interface Committed {
  readonly results: readonly WriteResult[];
  /** Sequence of the last write in it. */
  readonly sequence: number;
}

export interface WriteQueue {
  /** Writes the batch as one; batches that come while the disk is busy share the next transaction. */
  add(batch: readonly EncodedWrite[]): Promise<Committed>;
  /** Settles when everything added so far has been written or has failed. */
  idle(): Promise<void>;
}

interface Waiting {
  readonly batch: readonly EncodedWrite[];
  readonly bytes: number;
  resolve(committed: Committed): void;
  reject(error: Error): void;
}

/** A transaction takes batches until it has this much, so that the first of them does not wait for too many others. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** `commit` writes the batches in one transaction and moves their buffers away. */
export function createWriteQueue(
  commit: (batches: readonly (readonly EncodedWrite[])[], transfer: ArrayBuffer[]) => Promise<readonly BatchOutcome[]>,
): WriteQueue {
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const group = takeGroup();
      const batches = group.map(({ batch }) => batch);
      try {
        const outcomes = await commit(batches, batches.flatMap(buffersOf));
        for (const [i, entry] of group.entries()) settle(entry, outcomes[i]);
      } catch (error) {
        for (const { reject } of group) reject(error as Error);
      }
    }
    // Here and not in a `finally` of the caller: a batch added in between would wait for ever.
    running = undefined;
  }

  function takeGroup(): Waiting[] {
    let bytes = 0;
    const end = waiting.findIndex((entry, i) => {
      bytes += entry.bytes;
      return i > 0 && bytes > GROUP_BYTES;
    });
    const group = end === -1 ? waiting : waiting.slice(0, end);
    waiting = waiting.slice(group.length);
    return group;
  }

  return {
    add(batch) {
      return new Promise((resolve, reject) => {
        const bytes = buffersOf(batch).reduce((sum, buffer) => sum + buffer.byteLength, 0);
        waiting.push({ batch, bytes, resolve, reject });
        running ??= run();
      });
    },
    async idle() {
      while (running !== undefined) await running;
    },
  };
}

function settle({ resolve, reject }: Waiting, outcome: BatchOutcome | undefined): void {
  if (outcome === undefined) reject(failure('internal', 'The write has no outcome.'));
  else if ('results' in outcome) resolve(outcome);
  else {
    const { code, detail, reason } = outcome.error;
    reject(failure(code, detail, { cause: new Error(reason) }));
  }
}

/** Buffers that the batch owns alone; see `encodeWrite`. */
function buffersOf(batch: readonly EncodedWrite[]): ArrayBuffer[] {
  return batch.flatMap((write) => {
    if (write.op === 'delete' || write.content === undefined) return [];
    const { embedding, tokens, thumbnail } = write.content;
    return [embedding, tokens, thumbnail].flatMap((bytes) => (bytes === undefined ? [] : [bytes.buffer]));
  });
}
