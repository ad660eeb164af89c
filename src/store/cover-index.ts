import { setTimeout as delay } from 'node:timers/promises';
import { failure, isFailure } from '../core/errors.ts';
import type { CoverIndex, CoverWrite, IndexStatus, JudgementStore } from '../core/ports.ts';
import type { CoverRecord, ModelRef, Thumbnail } from '../core/types.ts';
import type { CoverStore } from './cover-store.ts';
import type { CoverWriterMethods } from './cover-writer-thread.ts';
import {
  type ClosedMark,
  leaveClosedMark,
  pagesAreKnown,
  putBackClosedMark,
  takeClosedMark,
} from './data-dir/closed-mark.ts';
import {
  bindStore,
  type DataDirPaths,
  damagedData,
  dataDirPaths,
  openJudgements,
  openStore,
} from './data-dir/data-dir.ts';
import { lockDataDir } from './data-dir/lock-data-dir.ts';
import { writeSnapshot } from './data-dir/snapshot.ts';
import type { StoreAbout } from './data-dir/store-about.ts';
import { encodeWrite } from './encode-write.ts';
import type { GraphState } from './graph/cover-graph.ts';
import {
  type CoverIndexEvent,
  type GraphClient,
  type GraphClientOptions,
  openGraphClient,
} from './graph/graph-client.ts';
import { createGraphMaintenance, type RebuildPolicy } from './graph/graph-maintenance.ts';
import type { OpenedJudgementStore } from './judgements/judgement-store.ts';
import { createTokenReader } from './read-tokens.ts';
import { createRecall } from './recall.ts';
import type { TokenShape } from './record-codec.ts';
import { keepThread, type ThreadKeeper } from './thread-keeper.ts';
import { type Committed, createWriteQueue } from './write-queue.ts';

export interface CoverIndexOptions {
  /** Made when it is not there. */
  readonly dataDir: string;
  /** The bundle that makes the embeddings; a folder made by another is refused. */
  readonly bundle: ModelRef;
  readonly embeddingDim: number;
  /** Shape of the image tokens; null where the bundle has none. */
  readonly tokens: TokenShape | null;
  /** Writes after which the graph is saved, so that a restart replays less. */
  readonly snapshotEveryWrites?: number;
  /** HNSW's `ef`: nodes held during a search. */
  readonly efSearch?: number;
  readonly rebuildWhen?: RebuildPolicy;
  readonly onEvent?: (event: CoverIndexEvent) => void;
}

/** The open data folder: its covers, and what people judged of them. */
export interface OpenedCoverIndex extends CoverIndex {
  readonly judgements: JudgementStore;
}

const DEFAULTS = {
  snapshotEveryWrites: 10_000,
  efSearch: 200,
  rebuildWhen: { tombstones: 1_000, share: 0.2 },
} as const;
const TRIM_CHUNK = 2_000;
/** Milliseconds that `close` gives the graph to take in the last writes. */
const CATCH_UP_MS = 3_000;

/** Closes one part of the index; false where it cannot say that all it read of the store was whole. */
type ClosePart = () => Promise<boolean>;

/** What the open index is made of. */
interface Parts {
  readonly options: Required<Omit<CoverIndexOptions, 'onEvent'>>;
  readonly paths: DataDirPaths;
  readonly about: StoreAbout;
  readonly store: CoverStore;
  readonly judgements: OpenedJudgementStore;
  readonly writer: ThreadKeeper<CoverWriterMethods>;
  readonly graph: GraphClient;
  onEvent(event: CoverIndexEvent): void;
}

/**
 * Opens the data folder and resolves once every cover in it can be found. Fails with `data_dir_busy`,
 * `bundle_mismatch` or `corrupt_data`, with nothing left open.
 */
export async function openCoverIndex(given: CoverIndexOptions): Promise<OpenedCoverIndex> {
  const { onEvent: tell = () => {}, ...rest } = given;
  const options = { ...DEFAULTS, ...rest };
  const paths = dataDirPaths(options.dataDir);
  const lock = lockDataDir(paths.root);
  const opened: ClosePart[] = [];
  const closeAll = async (): Promise<boolean> => {
    let whole = true;
    for (const close of opened.splice(0).reverse()) whole = (await close()) && whole;
    return whole;
  };
  let found: ClosedMark | undefined;
  let inOrder = true;
  const onEvent = (event: CoverIndexEvent): void => {
    if ('error' in event) inOrder = false;
    tell(event);
  };
  try {
    found = await takeClosedMark(paths);
    const isAsLeft = found !== undefined;
    const store = await openStore(paths, { pagesAreKnown: pagesAreKnown(found) });
    opened.push(store.close);
    const about = bindStore(store, paths.root, options);
    const judgements = await openJudgements(paths);
    opened.push(() => judgements.close().then(() => true));
    let onWriterUp = async (): Promise<void> => {};
    const writer = await startWriter(paths, onEvent, () => void onWriterUp().catch(() => {}));
    opened.push(() => closeWriter(writer));
    let onAdvanced = (_state: GraphState): void => {};
    const graph = await startGraph(paths, {
      thread: {
        storePath: paths.store,
        graphFolder: paths.graph,
        owner: { storeId: about.storeId, bundleHash: about.bundle.hash, embeddingDim: about.embeddingDim },
        efSearch: options.efSearch,
      },
      isAsLeft,
      lastSequence: () => store.lastSequence(),
      onAdvanced: (state) => onAdvanced(state),
      onEvent,
    });
    opened.push(graph.close);
    // What a writer that died wrote last was told to nobody.
    onWriterUp = async () => {
      store.refresh();
      await graph.advance(store.lastSequence());
    };
    // From now on covers that are gone were lost, which the next start tells by the graph.
    if (graph.status().snapshot === null && store.lastSequence() === 0) await graph.save();
    const closeParts = async (): Promise<void> => {
      const { covers } = store.counts();
      // Without the mark the next start checks everything, which is right where anything was amiss.
      if ((await closeAll()) && inOrder) await leaveClosedMark(paths, covers, found).catch(() => {});
      lock.release();
    };
    const index = assemble({ options, paths, about, store, judgements, writer, graph, onEvent }, closeParts);
    onAdvanced = index.onAdvanced;
    return index.port;
  } catch (error) {
    const whole = await closeAll();
    // A start that was refused, for a mistyped bundle say, must not make the next one check everything.
    if (whole && inOrder && isMereRefusal(error)) await putBackClosedMark(paths, found).catch(() => {});
    lock.release();
    throw error;
  }
}

/** Whether what ended a start says nothing of the data. A thread that died may have died of it. */
function isMereRefusal(error: unknown): boolean {
  return isFailure(error) && error.code !== 'corrupt_data' && error.code !== 'unavailable';
}

function assemble(
  { options, paths, about, store, judgements, writer, graph, onEvent }: Parts,
  closeParts: () => Promise<void>,
): { readonly port: OpenedCoverIndex; onAdvanced(state: GraphState): void } {
  const writerThread = () => {
    if (writer.current === undefined) throw failure('unavailable', 'The store is being opened again.');
    return writer.current;
  };
  const queue = createWriteQueue(async (batches, transfer) => {
    const outcomes = await writerThread().call('commit', batches, transfer);
    store.refresh();
    return outcomes;
  });
  const maintenance = createGraphMaintenance({
    graph,
    saveEveryWrites: options.snapshotEveryWrites,
    rebuildWhen: options.rebuildWhen,
    trimLog: async (upTo) => writerThread().call('trimLog', { upTo, limit: TRIM_CHUNK }),
    onEvent,
  });
  const readTokens = createTokenReader(store, options.tokens, (error) => onEvent({ event: 'record_damaged', error }));
  let closing: Promise<void> | undefined;
  let closed = false;
  const demandOpen = (): CoverStore => {
    if (closed) throw failure('unavailable', 'The index is closed.');
    return store;
  };

  async function commit(writes: readonly CoverWrite[]): Promise<Committed> {
    if (closing !== undefined) throw failure('draining', 'The index is closing.');
    return queue.add(writes.map((write) => encodeWrite(write, options)));
  }

  function status(): IndexStatus {
    const { deleted, snapshot, ...graphStatus } = graph.status();
    const sequence = demandOpen().lastSequence();
    return {
      covers: store.counts().covers,
      deleted,
      bundle: about.bundle,
      // Nothing is visible before it is on disk.
      sequence,
      durableSequence: sequence,
      graph: graphStatus,
      snapshot,
    };
  }

  async function close(): Promise<void> {
    await queue.idle();
    // What the graph does not hold by then it reads from the log at the next start.
    const caughtUp = graph.advance(store.lastSequence()).catch(() => {});
    await Promise.race([caughtUp, delay(CATCH_UP_MS, undefined, { ref: false })]);
    if (graph.status().state === 'ready') await maintenance.save();
    closed = true;
    await closeParts();
  }

  const port: OpenedCoverIndex = {
    judgements,
    recall: createRecall(store, graph, options.embeddingDim),
    get: (id) => recordOf(demandOpen(), id),
    tokens(ids) {
      demandOpen();
      return readTokens(ids);
    },
    thumbnail: (id) => thumbnailOf(demandOpen(), id),
    write(writes) {
      const committed = commit(writes);
      const durable = committed.then(({ results }) => results);
      const searchable = committed.then(({ sequence }) => graph.advance(sequence));
      // Whoever waits for one of the two need not wait for the other.
      durable.catch(() => {});
      searchable.catch(() => {});
      return { durable, searchable };
    },
    status,
    snapshot: () => maintenance.snapshot(() => writeSnapshot({ paths, about })),
    rebuild: () => maintenance.rebuild('it was asked for'),
    close() {
      closing ??= close();
      return closing;
    },
  };
  return { port, onAdvanced: maintenance.consider };
}

/** What the thread cannot read says that the covers themselves are damaged. */
async function startGraph(paths: DataDirPaths, options: GraphClientOptions): Promise<GraphClient> {
  try {
    return await openGraphClient(options);
  } catch (cause) {
    if (isFailure(cause) && cause.code !== 'corrupt_data') throw cause;
    const reason = (cause as Error).message.replace(/\.$/, '');
    throw damagedData(`The covers in ${paths.root} cannot be read: ${reason}`, cause);
  }
}

function startWriter(
  paths: DataDirPaths,
  onEvent: (event: CoverIndexEvent) => void,
  onUp: () => void,
): Promise<ThreadKeeper<CoverWriterMethods>> {
  return keepThread<CoverWriterMethods>({
    url: new URL('./cover-writer-thread.js', import.meta.url),
    data: { path: paths.store },
    name: 'writer',
    prepare: async () => onUp(),
    onDeath: (error) => onEvent({ event: 'thread_died', thread: 'writer', error }),
    onFailedStart: (error) => onEvent({ event: 'thread_died', thread: 'writer', error }),
  });
}

async function closeWriter(writer: ThreadKeeper<CoverWriterMethods>): Promise<boolean> {
  let whole = false;
  await writer.close(async (thread) => {
    whole = await thread.call('close', null);
  });
  return whole;
}

function recordOf(store: CoverStore, id: string): CoverRecord | undefined {
  const cover = store.cover(id);
  if (cover === undefined) return undefined;
  const { label: _, ...record } = cover;
  return record;
}

function thumbnailOf(store: CoverStore, id: string): Thumbnail | undefined {
  const label = store.labelOf(id);
  return label === undefined ? undefined : store.thumbnail(label);
}
