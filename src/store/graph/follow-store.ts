import { failure, isFailure } from '../../core/errors.ts';
import type { Attributes } from '../../core/types.ts';
import type { CoverStore } from '../cover-store.ts';
import type { LogEntry } from '../record-codec.ts';
import type { VectorIndex } from '../vector-index.ts';
import type { AttributeIndex } from './attribute-index.ts';

/** Brings a graph, and the attributes with it, up to date with the store. Nothing else may change them meanwhile. */
export interface StoreFollower {
  /**
   * Applies the log's entries after `from` up to `to`, and returns `to`. Applying one twice does no harm. Fails with
   * `corrupt_data` over an entry that is missing or cannot be read.
   */
  replay(into: VectorIndex, from: number, to: number): Promise<number>;
  /**
   * The same for a log that may be damaged, which no second try mends: looks at every cover then, since they are what
   * counts. The store must have got as far as `to`.
   */
  replayOrCompare(into: VectorIndex, from: number, to: number): Promise<number>;
}

export interface StoreFollowerOptions {
  readonly store: CoverStore;
  readonly attributes: AttributeIndex;
  /** Lets the thread's other work go first now and then. */
  readonly giveWay: () => Promise<void>;
}

/** What is looked at in one go where a single one is too little to ask for time. */
export const LOG_CHUNK = 256;

export function createStoreFollower({ store, attributes, giveWay }: StoreFollowerOptions): StoreFollower {
  async function replay(into: VectorIndex, from: number, to: number): Promise<number> {
    let next = from + 1;
    while (next <= to) {
      store.refresh();
      const entries = store.logAfter(next - 1, Math.min(LOG_CHUNK, to - next + 1));
      if (entries.length === 0) throw failure('corrupt_data', 'the log of writes ends too early');
      for (const entry of entries) {
        // Every write has its entry until a snapshot covers it.
        if (entry.sequence !== next) throw failure('corrupt_data', 'the log of writes has a gap');
        apply(into, entry);
        next += 1;
        await giveWay();
      }
    }
    return Math.max(from, to);
  }

  function apply(into: VectorIndex, { id, label, replaced }: LogEntry): void {
    if (replaced !== 0) drop(into, replaced);
    if (label === 0) return;
    const cover = store.cover(id);
    // Content that is gone by now was replaced or deleted by a later entry. Its attributes may have been read before
    // that: they go at once, so that whatever entry comes last, graph and attributes hold the same covers.
    if (cover?.label !== label) drop(into, label);
    else hold(into, label, cover.attributes);
  }

  async function replayOrCompare(into: VectorIndex, from: number, to: number): Promise<number> {
    try {
      return await replay(into, from, to);
    } catch (error) {
      if (!isFailure(error, 'corrupt_data')) throw error;
      await compare(into);
      return Math.max(from, to);
    }
  }

  /** All covers as they are when it begins. Writes that come meanwhile have entries after that, which will be replayed. */
  async function compare(into: VectorIndex): Promise<void> {
    store.refresh();
    const live = new Set<number>();
    for (const cover of store.allCovers()) {
      live.add(cover.label);
      hold(into, cover.label, cover.attributes);
      await giveWay();
    }
    await keepOnly(live, attributes);
    await keepOnly(live, into);
  }

  async function keepOnly(live: ReadonlySet<number>, held: VectorIndex | AttributeIndex): Promise<void> {
    let looked = 0;
    for (const label of held.labels()) {
      if (!live.has(label)) held.remove(label);
      if (++looked % LOG_CHUNK === 0) await giveWay();
    }
  }

  function hold(into: VectorIndex, label: number, values: Attributes): void {
    attributes.set(label, values);
    const embedding = into.has(label) ? undefined : store.embedding(label);
    if (embedding !== undefined) into.add(label, embedding);
  }

  function drop(from: VectorIndex, label: number): void {
    from.remove(label);
    attributes.remove(label);
  }

  return { replay, replayOrCompare };
}
