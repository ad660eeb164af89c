import { setImmediate as nextTurn } from 'node:timers/promises';
import { failure } from '../../core/errors.ts';
import { coverProblems } from '../cover-problems.ts';
import type { CoverStore } from '../cover-store.ts';
import { reached } from '../disk/durable-steps.ts';
import { createMutex } from '../mutex.ts';
import type { StoredCover } from '../record-codec.ts';
import { createVectorIndex, type ReadVectors, type VectorIndex } from '../vector-index.ts';
import { createAttributeIndex } from './attribute-index.ts';
import { createStoreFollower, LOG_CHUNK } from './follow-store.ts';
import { createGraphSearch, type GraphSearch } from './graph-search.ts';
import {
  type GraphManifest,
  type GraphOwner,
  graphDefect,
  loadGraph,
  readGraphManifest,
  saveGraph,
} from './graph-snapshot.ts';

/**
 * What is derived from the store: the graph and the attributes, kept in step with it by reading its log. Lives in a
 * thread of its own. Long work goes in slices, between which searches are answered.
 */
export interface CoverGraph extends GraphSearch {
  state(): GraphState;
  /** Reads the snapshot and what was written since, or builds from the store; returns why it had to be built. */
  load(how: LoadOptions): Promise<string | undefined>;
  /** Makes ready, after `load`, what would hold up the first searches with a filter. */
  prepareFilters(): Promise<void>;
  /** Takes in all writes up to `sequence`. */
  catchUp(sequence: number): Promise<void>;
  /** Puts the graph on disk, unless it lies there as it is. */
  save(): Promise<GraphManifest>;
  /** Builds the graph anew from the store, beside the one that goes on answering, and drops all tombstones. */
  rebuild(): Promise<void>;
  /** Makes `prepareFilters`, `catchUp`, `rebuild` and filtered searches fail soon, where they are under way. */
  stop(): void;
}

export interface LoadOptions {
  /** Whether the store is as an orderly end left it, so that its records need no check before they are asked for. */
  readonly isAsLeft: boolean;
}

export interface GraphState {
  readonly sequence: number;
  readonly elements: number;
  readonly deleted: number;
  readonly capacity: number;
  readonly snapshot: { readonly sequence: number; readonly createdAt: string } | null;
}

export interface CoverGraphOptions {
  readonly store: CoverStore;
  /** Where the graph's snapshot lies. */
  readonly folder: string;
  readonly owner: GraphOwner;
  /** Least `ef` of a search. */
  readonly efSearch: number;
}

/** A snapshot's manifest and what makes a graph of its file; undefined for an empty one. */
interface ReadSnapshot {
  readonly manifest: GraphManifest;
  readonly graphOf: ReadVectors | undefined;
}

/** Milliseconds of work between two looks at the thread's messages. */
const SLICE_MS = 2;
/** Covers read between two turns of the snapshot's checksum, after which its file is read: a tenth of a millisecond's worth. */
const LOAD_CHUNK = 16;

export function createCoverGraph({ store, folder, owner, efSearch }: CoverGraphOptions): CoverGraph {
  const attributes = createAttributeIndex();
  const follower = createStoreFollower({ store, attributes, giveWay });
  const applying = createMutex();
  const maintenance = createMutex();
  let graph = createVectorIndex(owner.embeddingDim);
  let sequence = 0;
  let saved: GraphManifest | undefined;
  /** Whether the graph is another than the saved one although the sequence is the same. */
  let rebuiltSinceSave = false;
  let sliceEnd = 0;
  let stopped = false;

  async function load({ isAsLeft }: LoadOptions): Promise<string | undefined> {
    store.refresh();
    const last = store.lastSequence();
    // Other threads read the snapshot while this one reads the covers.
    const [read, covers] = await Promise.allSettled([readSnapshot(last), readCovers(isAsLeft)]);
    // Not before both are done: a thread that is ended while hnswlib reads a file takes the process with it.
    if (covers.status === 'rejected') throw covers.reason;
    if (read.status === 'rejected') throw read.reason;
    const snapshot = read.value;
    const reason = typeof snapshot === 'string' ? snapshot : await takeSnapshot(snapshot, last);
    if (reason === undefined) return undefined;
    saved = undefined;
    sequence = last;
    await rebuild();
    return reason;
  }

  /** Unless it is known to be whole, what searches and rebuilds are going to read is looked at now and not by a query. */
  async function readCovers(isAsLeft: boolean): Promise<void> {
    let read = 0;
    for (const cover of store.allCovers()) {
      if (!isAsLeft) demandWhole(cover);
      attributes.set(cover.label, cover.attributes);
      read += 1;
      if (read % LOAD_CHUNK !== 0) continue;
      if (stopped) throw failure('unavailable', 'The graph is being closed.');
      await nextTurn();
    }
  }

  async function prepareFilters(): Promise<void> {
    let steps = 0;
    for (const _ of attributes.prepare()) if (++steps % LOG_CHUNK === 0) await giveWay();
  }

  function demandWhole(cover: StoredCover): void {
    for (const problem of coverProblems(store, cover, owner.embeddingDim)) {
      // Content that is gone by now was replaced or deleted by a write that came meanwhile.
      if (store.labelOf(cover.id) === cover.label) throw failure('corrupt_data', problem);
    }
  }

  /** What the snapshot's file holds, or why it could not be used. */
  async function readSnapshot(last: number): Promise<ReadSnapshot | string> {
    const manifest = await readGraphManifest(folder);
    const defect = await graphDefect(folder, manifest, owner);
    if (manifest === undefined || defect !== undefined) return defect ?? 'there is none';
    if (manifest.sequence > last) return 'it is newer than the store';
    try {
      return { manifest, graphOf: await loadGraph(folder, manifest) };
    } catch (error) {
      return reasonOf(error);
    }
  }

  /** Brings the snapshot up to date with the store; returns why it could not be used. */
  async function takeSnapshot({ manifest, graphOf }: ReadSnapshot, last: number): Promise<string | undefined> {
    try {
      graph = graphOf?.(attributes.has) ?? createVectorIndex(owner.embeddingDim);
      sequence = manifest.sequence;
      await catchUp(last);
    } catch (error) {
      return reasonOf(error);
    }
    // It has no others: those of its file were picked by the attributes, and a write goes to both.
    if (graph.elements - graph.deleted !== attributes.size) return 'it does not hold the covers of the store';
    saved = manifest;
    return undefined;
  }

  /** Piece by piece, so that saving need not wait for all of a long queue. */
  async function catchUp(target: number): Promise<void> {
    while (sequence < target) {
      await applying(async () => {
        sequence = await follower.replay(graph, sequence, Math.min(target, sequence + LOG_CHUNK));
      });
    }
  }

  /**
   * Lets the thread's other work go first once `SLICE_MS` have passed; ends the work when the graph is being closed, or
   * when nobody waits for it any more.
   */
  async function giveWay(abandoned?: Int32Array): Promise<void> {
    if (stopped) throw failure('unavailable', 'The graph is being closed.');
    if (abandoned !== undefined && Atomics.load(abandoned, 0) !== 0) throw failure('cancelled', 'The caller left.');
    if (performance.now() < sliceEnd) return;
    await nextTurn();
    store.refresh();
    sliceEnd = performance.now() + SLICE_MS;
  }

  function rebuild(): Promise<void> {
    return maintenance(async () => {
      store.refresh();
      const start = store.lastSequence();
      const next = createVectorIndex(owner.embeddingDim, Math.ceil(store.counts().labels * 1.1));
      await addAll(next);
      reached('graph rebuilt');
      // Writes wait for this last step, or the new graph might never catch up with the old one.
      await applying(async () => {
        store.refresh();
        const last = Math.max(sequence, store.lastSequence());
        sequence = await follower.replayOrCompare(next, Math.min(start, sequence), last);
        graph = next;
        rebuiltSinceSave = true;
      });
    });
  }

  async function addAll(next: VectorIndex): Promise<void> {
    let last = 0;
    for (;;) {
      store.refresh();
      const labels = store.labelsAfter(last, LOG_CHUNK);
      for (const label of labels) {
        const embedding = store.embedding(label);
        if (embedding !== undefined) next.add(label, embedding);
        last = label;
        await giveWay();
      }
      if (labels.length === 0) return;
    }
  }

  function save(): Promise<GraphManifest> {
    return maintenance(() =>
      applying(async () => {
        if (saved?.sequence === sequence && !rebuiltSinceSave) return saved;
        saved = await saveGraph(folder, graph, owner, sequence);
        rebuiltSinceSave = false;
        return saved;
      }),
    );
  }

  return {
    state: () => ({
      sequence,
      elements: graph.elements,
      deleted: graph.deleted,
      capacity: graph.capacity,
      snapshot: saved === undefined ? null : { sequence: saved.sequence, createdAt: saved.createdAt },
    }),
    load,
    prepareFilters,
    catchUp,
    ...createGraphSearch({ store, attributes, graph: () => graph, efSearch, giveWay }),
    save,
    rebuild,
    stop() {
      stopped = true;
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
