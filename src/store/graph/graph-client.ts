import { setTimeout as delay } from 'node:timers/promises';
import { failure, isFailure } from '../../core/errors.ts';
import type { IndexStatus } from '../../core/ports.ts';
import { keepThread, type ThreadKeeper } from '../thread-keeper.ts';
import type { Scored } from '../vector-index.ts';
import type { GraphState } from './cover-graph.ts';
import type { ScoredCandidates } from './exact-scan.ts';
import type { CandidateQuery, GraphQuery } from './graph-search.ts';
import { createSearchGate } from './search-gate.ts';
import type { VectorIndexMethods, VectorIndexThreadData } from './vector-index-thread.ts';

/** The graph's thread as the main thread sees it: kept alive, kept in step with the store. */
export interface GraphClient {
  search(query: GraphQuery, signal: AbortSignal): Promise<Scored>;
  score(query: CandidateQuery, signal: AbortSignal): Promise<ScoredCandidates>;
  /**
   * Settles once the graph holds all writes up to `sequence`, which must be committed. Outlives a thread's death, and
   * rejects with `unavailable` when the graph has failed: nobody knows then when it will hold them.
   */
  advance(sequence: number): Promise<void>;
  save(): Promise<GraphState>;
  rebuild(because: string): Promise<void>;
  status(): IndexStatus['graph'] & Pick<GraphState, 'deleted' | 'snapshot'>;
  /** Whether the thread was there to say that all it read of the store was whole. */
  close(): Promise<boolean>;
}

/** Told to whoever keeps the log. */
export type CoverIndexEvent =
  | { readonly event: 'graph_rebuilt'; readonly because: string; readonly covers: number; readonly tookMs: number }
  | { readonly event: 'graph_saved'; readonly sequence: number }
  | { readonly event: 'graph_save_failed'; readonly error: Error }
  /** Its tombstones could not be dropped; it goes on answering with them. */
  | { readonly event: 'graph_rebuild_failed'; readonly error: Error }
  /** The graph cannot be had at all; it is tried again. Recall is unavailable or lacks the last writes until then. */
  | { readonly event: 'graph_failed'; readonly error: Error }
  | { readonly event: 'thread_died'; readonly thread: 'graph' | 'writer'; readonly error: Error }
  /** Found by a read; whoever asked gets an answer without it, or an error. */
  | { readonly event: 'record_damaged'; readonly error: Error };

export interface GraphClientOptions {
  readonly thread: VectorIndexThreadData;
  /** Whether the store is as an orderly end left it. */
  readonly isAsLeft: boolean;
  /** Sequence of the last committed write. */
  lastSequence(): number;
  /** After the graph took in writes. */
  onAdvanced(state: GraphState): void;
  onEvent(event: CoverIndexEvent): void;
}

interface Waiter {
  readonly sequence: number;
  resolve(): void;
  reject(error: Error): void;
}

/** The thread does one thing at a time; a few more in hand keep a long exact scan from holding up short searches. */
const MAX_RUNNING = 4;
const MAX_WAITING = 4_096;
/** Between attempts to build a graph anew that failed: each takes as long as the one before. */
const FIRST_REPAIR_DELAY_MS = 200;
const LAST_REPAIR_DELAY_MS = 60_000;

/** Starts the thread and resolves once the graph is loaded. */
export async function openGraphClient(options: GraphClientOptions): Promise<GraphClient> {
  const gate = createSearchGate(MAX_RUNNING, MAX_WAITING);
  let state: GraphState = { sequence: 0, elements: 0, deleted: 0, capacity: 0, snapshot: null };
  let waiters: Waiter[] = [];
  let advancing = false;
  let repairing = false;
  let repairDelayMs = FIRST_REPAIR_DELAY_MS;
  let rebuilding = 0;
  let closed = false;
  let failed = false;
  let { isAsLeft } = options;
  let keeper: ThreadKeeper<VectorIndexMethods> | undefined;

  keeper = await keepThread<VectorIndexMethods>({
    url: new URL('./vector-index-thread.js', import.meta.url),
    data: options.thread,
    name: 'graph',
    async prepare(thread) {
      const startedAt = performance.now();
      const { state: loaded, rebuiltBecause } = await thread.call('load', { isAsLeft });
      // A thread that takes the place of one that died, who knows why, checks everything.
      isAsLeft = false;
      accept(loaded);
      if (rebuiltBecause !== undefined && loaded.elements > 0) reportRebuilt(rebuiltBecause, startedAt);
      // Writes may have come while it was loading. `current` is set only after this.
      setImmediate(() => void pump());
    },
    onDeath: (error) => options.onEvent({ event: 'thread_died', thread: 'graph', error }),
    onFailedStart: fail,
  });

  function thread() {
    if (closed) throw failure('unavailable', 'The index is closed.');
    const current = keeper?.current;
    if (current === undefined) throw failure('unavailable', 'The graph is being loaded.', { retryAfterSeconds: 1 });
    return current;
  }

  /** A filter can be long work, which the thread gives up when the signal fires. */
  async function searchUnlessAbandoned(query: GraphQuery, signal: AbortSignal): Promise<Scored> {
    if (query.filter === undefined) return thread().call('search', query);
    const abandoned = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    const abandon = (): void => void Atomics.store(abandoned, 0, 1);
    signal.addEventListener('abort', abandon, { once: true });
    try {
      return await thread().call('search', { ...query, abandoned });
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  /** A graph that took in or read what there is has not failed any more. */
  function accept(next: GraphState): void {
    failed = false;
    hold(next);
  }

  function hold(next: GraphState): void {
    state = next;
    const done = waiters.filter(({ sequence }) => sequence <= state.sequence);
    waiters = waiters.filter(({ sequence }) => sequence > state.sequence);
    for (const { resolve } of done) resolve();
  }

  function fail(error: Error): void {
    failed = true;
    options.onEvent({ event: 'graph_failed', error });
    rejectWaiters(hasFailed(error));
  }

  function rejectWaiters(error: Error): void {
    const lost = waiters;
    waiters = [];
    for (const { reject } of lost) reject(error);
  }

  function reportRebuilt(because: string, startedAt: number): void {
    const covers = state.elements - state.deleted;
    options.onEvent({ event: 'graph_rebuilt', because, covers, tookMs: performance.now() - startedAt });
  }

  /** Has the thread take in what is missing. */
  async function pump(): Promise<void> {
    if (advancing || repairing || closed) return;
    advancing = true;
    try {
      while (keeper?.current !== undefined && state.sequence < options.lastSequence()) {
        accept(await keeper.current.call('catchUp', options.lastSequence()));
        options.onAdvanced(state);
      }
      repairDelayMs = FIRST_REPAIR_DELAY_MS;
    } catch (error) {
      // A thread that died catches up once it is started again.
      if (!isFailure(error, 'unavailable')) void repair(error as Error);
    } finally {
      advancing = false;
    }
  }

  /**
   * The graph could not follow the log although its thread lives: build it from the covers, which are what counts. One at
   * a time; where that fails too it is tried again later and later, since it takes all of the thread's time.
   */
  async function repair(cause: Error): Promise<void> {
    repairing = true;
    try {
      await rebuild(cause.message);
    } catch (error) {
      if (!isFailure(error, 'unavailable')) {
        fail(error as Error);
        await delay(repairDelayMs, undefined, { ref: false });
        repairDelayMs = Math.min(2 * repairDelayMs, LAST_REPAIR_DELAY_MS);
      }
    }
    repairing = false;
    void pump();
  }

  function condition(): IndexStatus['graph']['state'] {
    if (failed) return 'failed';
    if (keeper?.current === undefined) return 'loading';
    return rebuilding > 0 ? 'rebuilding' : 'ready';
  }

  async function rebuild(because: string): Promise<void> {
    const startedAt = performance.now();
    rebuilding += 1;
    try {
      accept(await thread().call('rebuild', null));
      reportRebuilt(because, startedAt);
    } finally {
      rebuilding -= 1;
    }
  }

  return {
    search: (query, signal) => gate.run(() => searchUnlessAbandoned(query, signal), signal),
    score: (query, signal) => gate.run(async () => thread().call('score', query), signal),
    advance(sequence) {
      if (sequence <= state.sequence) return Promise.resolve();
      if (closed) return Promise.reject(failure('unavailable', 'The index is closed.'));
      if (failed) return Promise.reject(hasFailed());
      return new Promise((resolve, reject) => {
        waiters.push({ sequence, resolve, reject });
        void pump();
      });
    },
    async save() {
      // What a graph that has failed lacks is not in the file either.
      hold(await thread().call('save', null));
      return state;
    },
    rebuild,
    status() {
      const { sequence, elements, deleted, capacity, snapshot } = state;
      return { state: condition(), sequence, elements, deleted, capacity, snapshot };
    },
    async close() {
      closed = true;
      let whole = false;
      await keeper?.close(async (last) => {
        whole = await last.call('close', null);
      });
      rejectWaiters(failure('unavailable', 'The index is closed.'));
      return whole;
    },
  };
}

function hasFailed(cause?: Error): Error {
  return failure('unavailable', 'The graph cannot take in writes now.', { cause });
}
