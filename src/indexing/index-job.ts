import { setMaxListeners } from 'node:events';
import type { LimitFunction } from 'p-limit';
import { abortFailure, untilAborted } from '../core/abort.ts';
import { type CoverrankError, failure, isFailure } from '../core/errors.ts';
import type { CoverIndex, CoverWrite, WriteResult } from '../core/ports.ts';
import { Channel, Slots } from './channel.ts';
import type { Turn } from './id-turns.ts';
import type { IndexItem, RejectedItem } from './item.ts';
import type { PlannedWrite, WritePlanner } from './plan-write.ts';

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
  /** Where each item waits until it may be worked on beside what else the service does. Default: nowhere. */
  readonly enter?: (signal: AbortSignal) => Promise<{ leave(): void }>;
}

/**
 * Outcomes in the order of the items, as they become ready; one bad item never fails the rest. Of several items with
 * the same id the last one stands. Pulls items only as fast as it can work on them.
 *
 * Throws what the source threw, or `cancelled`/`deadline_exceeded` when the signal fired before the source ended, in
 * both cases after the outcomes of all items that were read; those not yet on disk by then carry that error. Nothing
 * is written any more once the iteration has ended, also when its consumer leaves early.
 */
export type RunIndexJob = (
  items: AsyncIterable<IndexItem | RejectedItem> | Iterable<IndexItem | RejectedItem>,
  options: IndexOptions,
) => AsyncIterable<ItemOutcome>;

export interface IndexJobParts {
  readonly plan: WritePlanner;
  readonly write: CoverIndex['write'];
  readonly limit: LimitFunction;
  readonly turns: (id: string) => Turn;
  /** Items of one job between being read and having their outcome taken. */
  readonly maxInFlight: number;
}

/** Most that one transaction holds: enough to share an fsync, little enough that the first item need not wait long. */
const MAX_GROUP_ITEMS = 256;
const MAX_GROUP_BYTES = 32 * 1024 * 1024;

/** An item on its way: `settled` is there once its work is done and only the write is left. */
interface Entry {
  readonly id: string;
  planned: Promise<void>;
  settled: PlannedWrite | { readonly error: CoverrankError } | undefined;
  readonly done: () => void;
}

/**
 * A job is a line of entries with three who work on it: the reader puts items in at the tail and starts their work,
 * the writer commits the finished ones at the head (all that are ready go into one transaction, so the slower the disk
 * the larger the groups), and the consumer takes outcomes. The writer never waits for the consumer; what bounds the
 * line are the slots, which the reader takes and the consumer gives back.
 */
export function createIndexJob(parts: IndexJobParts): RunIndexJob {
  return async function* runJob(items, options) {
    const left = new AbortController();
    const signal = AbortSignal.any([options.signal, left.signal]);
    setMaxListeners(0, signal); // every item in flight listens
    const slots = new Slots(parts.maxInFlight);
    const entries = new Channel<Entry>();
    const outcomes = new Channel<Promise<readonly ItemOutcome[]>>();
    void readItems(items, parts, slots, entries, { ...options, signal });
    const writing = writeGroups(parts, options, entries, outcomes, signal);
    try {
      for (let group = await outcomes.take(); group !== undefined; group = await outcomes.take()) {
        for (const outcome of await group) {
          slots.release();
          yield outcome;
        }
      }
    } finally {
      left.abort();
      await writing;
    }
  };
}

async function readItems(
  items: AsyncIterable<IndexItem | RejectedItem> | Iterable<IndexItem | RejectedItem>,
  parts: IndexJobParts,
  slots: Slots,
  entries: Channel<Entry>,
  options: IndexOptions,
): Promise<void> {
  const { signal } = options;
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  try {
    for (;;) {
      await untilAborted(slots.acquire(), signal);
      const next = await untilAborted(Promise.resolve(source.next()), signal);
      if (next.done === true) break;
      entries.push(startItem(next.value, parts, options));
    }
    entries.close();
  } catch (error) {
    entries.close(error);
    // Not awaited: a generator that hangs in its own read would never answer.
    void Promise.resolve(source.return?.()).catch(() => {});
  }
}

function startItem(item: IndexItem | RejectedItem, parts: IndexJobParts, options: IndexOptions): Entry {
  if ('error' in item) {
    return { id: item.id, planned: Promise.resolve(), settled: { error: item.error }, done: () => {} };
  }
  const turn = parts.turns(item.id);
  const entry: Entry = { id: item.id, planned: Promise.resolve(), settled: undefined, done: turn.done };
  entry.planned = planInTurn(item, turn, parts, options).then((settled) => {
    entry.settled = settled;
  });
  return entry;
}

async function planInTurn(
  item: IndexItem,
  turn: Turn,
  { limit, plan }: IndexJobParts,
  { signal, enter }: IndexOptions,
): Promise<PlannedWrite | { readonly error: CoverrankError }> {
  try {
    await untilAborted(turn.come, signal);
    const place = await enter?.(signal);
    const work = limit(() => (signal.aborted ? Promise.reject(abortFailure(signal)) : plan(item, signal)));
    return await untilAborted(work, signal).finally(() => place?.leave());
  } catch (error) {
    return { error: asItemError(error) };
  }
}

async function writeGroups(
  parts: IndexJobParts,
  { until }: IndexOptions,
  entries: Channel<Entry>,
  outcomes: Channel<Promise<readonly ItemOutcome[]>>,
  signal: AbortSignal,
): Promise<void> {
  // An item that changed nothing may owe its cover to a write of this job that the graph does not hold yet.
  let searchable: Promise<void> = Promise.resolve();
  try {
    for (let head = await entries.take(); head !== undefined; head = await entries.take()) {
      await head.planned;
      const group = [head, ...(await readyAfter(head, entries))];
      const committed = await commit(group, parts.write, signal);
      searchable = Promise.all([searchable, committed.searchable]).then(() => {});
      searchable.catch(() => {});
      outcomes.push(
        until === 'durable' ? Promise.resolve(committed.outcomes) : onceSearchable(committed.outcomes, searchable),
      );
    }
    outcomes.close();
  } catch (error) {
    outcomes.close(error);
  }
}

/** The entries that follow the head and are ready as well, as many as fit into its transaction. */
async function readyAfter(head: Entry, entries: Channel<Entry>): Promise<Entry[]> {
  const group: Entry[] = [];
  let bytes = writeBytes(head);
  while (group.length + 1 < MAX_GROUP_ITEMS) {
    const next = entries.peek();
    if (next?.settled === undefined) break;
    bytes += writeBytes(next);
    if (bytes > MAX_GROUP_BYTES) break;
    await entries.take();
    group.push(next);
  }
  return group;
}

interface Committed {
  readonly outcomes: readonly ItemOutcome[];
  readonly searchable: Promise<void>;
}

async function commit(group: readonly Entry[], write: CoverIndex['write'], signal: AbortSignal): Promise<Committed> {
  try {
    return await writeGroup(group, write, signal);
  } finally {
    for (const entry of group) entry.done();
  }
}

async function writeGroup(
  group: readonly Entry[],
  write: CoverIndex['write'],
  signal: AbortSignal,
): Promise<Committed> {
  const writes = group.flatMap(({ settled }) => (settled !== undefined && 'write' in settled ? [settled.write] : []));
  const nothing = Promise.resolve();
  if (writes.length === 0) return { outcomes: group.map((entry) => outcomeOf(entry, undefined)), searchable: nothing };
  try {
    if (signal.aborted) throw abortFailure(signal);
    const { durable, searchable } = write(writes);
    searchable.catch(() => {});
    const results = (await durable)[Symbol.iterator]();
    return { outcomes: group.map((entry) => outcomeOf(entry, () => results.next().value)), searchable };
  } catch (error) {
    if (group.length > 1 && isFailure(error, 'corrupt_data')) return writeOneByOne(group, write, signal);
    const lost = asItemError(error);
    return { outcomes: group.map((entry) => outcomeOf(entry, () => lost)), searchable: nothing };
  }
}

/** So that a damaged record, over which one of them cannot be written, fails that one alone. */
async function writeOneByOne(
  group: readonly Entry[],
  write: CoverIndex['write'],
  signal: AbortSignal,
): Promise<Committed> {
  const committed: Committed[] = [];
  for (const entry of group) committed.push(await writeGroup([entry], write, signal));
  const searchable = Promise.all(committed.map((one) => one.searchable)).then(() => {});
  searchable.catch(() => {});
  return { outcomes: committed.flatMap(({ outcomes }) => outcomes), searchable };
}

/** `written` gives what became of the entry's write; it is asked only where there was one. */
function outcomeOf(
  { id, settled }: Entry,
  written: (() => WriteResult | CoverrankError | undefined) | undefined,
): ItemOutcome {
  if (settled !== undefined && 'error' in settled) return { id, error: settled.error };
  if (settled !== undefined && 'unchanged' in settled) return { id, result: 'unchanged' };
  const result = written?.();
  if (result === undefined) return { id, error: failure('internal', 'The write was not answered.') };
  return typeof result === 'string' ? { id, result } : { id, error: result };
}

async function onceSearchable(
  outcomes: readonly ItemOutcome[],
  searchable: Promise<void>,
): Promise<readonly ItemOutcome[]> {
  try {
    await searchable;
    return outcomes;
  } catch (cause) {
    const error = failure('unavailable', 'The change is on disk, but searches do not see it yet.', { cause });
    return outcomes.map((outcome) => (outcome.error === undefined ? { id: outcome.id, error } : outcome));
  }
}

function asItemError(error: unknown): CoverrankError {
  return isFailure(error) ? error : failure('internal', 'The item could not be indexed.', { cause: error });
}

function writeBytes({ settled }: Entry): number {
  if (settled === undefined || !('write' in settled)) return 0;
  const write: CoverWrite = settled.write;
  if (write.op === 'delete' || write.content === undefined) return 0;
  const { features, thumbnail } = write.content;
  return features.embedding.byteLength + (features.tokens?.values.byteLength ?? 0) + (thumbnail?.bytes.byteLength ?? 0);
}
