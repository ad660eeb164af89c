import type { Attributes, AttributeValue, Filter } from '../../core/types.ts';
import {
  type CompiledCondition,
  type CompiledFilter,
  compileFilter,
  scalarsOf,
  wantedValues,
} from './attribute-filter.ts';

/**
 * Attributes of all live covers by label, in memory, so that a filter is answered exactly and without reading the disk.
 * Maps throughout: keys and values are what users send, `__proto__` included.
 */
export interface AttributeIndex {
  /** Number of live covers. */
  readonly size: number;
  labels(): Iterable<number>;
  has(label: number): boolean;
  set(label: number, attributes: Attributes): void;
  remove(label: number): void;
  /**
   * Makes ready what a filter for a value looks into, cover by cover. Anything may be done between two steps; a filter
   * that needs it before makes it itself, which takes a good while over a million covers.
   */
  prepare(): Iterable<void>;
  /**
   * Labels that the filter lets through. The set lives on and follows later writes; do not change it. Between pieces of
   * the work it calls `giveWay`, during which anything may be done; when that rejects, so does this.
   */
  matching(filter: Filter, giveWay: () => Promise<void>): Promise<ReadonlySet<number>>;
}

interface Column {
  readonly values: Map<number, AttributeValue>;
  /** Undefined until they are begun: while many covers are read for the first time they would take a third of it. */
  postings: Postings | undefined;
  /** Whether every value has its posting. */
  isComplete: boolean;
}

/** Labels by scalar value, for `equals` and `in`. */
type Postings = Map<string | number | boolean, Posting>;

/** One label stands for itself: where every cover has a value of its own, a set each would take 200 bytes more. */
type Posting = number | Set<number>;

/** What a filter lets through, or did so far of the covers looked at. Writes go into it from the beginning. */
interface Matching {
  readonly filter: CompiledFilter;
  readonly labels: Set<number>;
  /** What is left to be done; whoever waits for the labels does some of it. */
  readonly steps: Iterator<void>;
  waiting: number;
}

/** Covers looked at between two chances to give way: a millisecond's worth where a filter has many conditions. */
const STEP = 256;

/** Filters repeat (a channel, a region), so the last few keep their labels, up to so many of them in all. */
const CACHED_FILTERS = 16;
const CACHED_LABELS = 2_000_000;

export function createAttributeIndex(): AttributeIndex {
  const live = new Set<number>();
  const columns = new Map<string, Column>();
  const cache = new Map<string, Matching>();
  /** Whether attributes that come for the first time get their postings as they come. */
  let isPrepared = false;

  function remove(label: number): void {
    if (live.delete(label)) forget(label);
  }

  function forget(label: number): void {
    // Which attributes it has is not kept: that would hold every value twice.
    for (const key of columns.keys()) removeValue(columns, key, label);
    for (const { labels } of cache.values()) labels.delete(label);
  }

  function set(label: number, attributes: Attributes): void {
    const before = live.size;
    live.add(label);
    if (live.size === before) forget(label);
    for (const [key, value] of Object.entries(attributes)) addValue(columnOf(key), label, value);
    for (const { filter, labels } of cache.values()) if (filter.matches(attributes)) labels.add(label);
  }

  function columnOf(key: string): Column {
    const known = columns.get(key);
    if (known !== undefined) return known;
    const column = { values: new Map(), postings: isPrepared ? new Map() : undefined, isComplete: isPrepared };
    columns.set(key, column);
    return column;
  }

  function* prepare(): Iterable<void> {
    isPrepared = true;
    for (const column of columns.values()) yield* complete(column);
  }

  async function matching(filter: Filter, giveWay: () => Promise<void>): Promise<ReadonlySet<number>> {
    const key = JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
    const entry = cache.get(key) ?? begin(compileFilter(filter));
    // Put back at the end: the Map's order is the order of last use.
    cache.delete(key);
    cache.set(key, entry);
    entry.waiting += 1;
    try {
      while (entry.steps.next().done !== true) await giveWay();
    } finally {
      entry.waiting -= 1;
      trimCache();
    }
    return entry.labels;
  }

  function begin(filter: CompiledFilter): Matching {
    const labels = new Set<number>();
    return { filter, labels, steps: collect(filter, labels), waiting: 0 };
  }

  /** Forgets what was used longest ago; the last one stays, and what is waited for, which writes must reach. */
  function trimCache(): void {
    let labels = 0;
    let filters = 0;
    for (const [key, entry] of [...cache].reverse()) {
      labels += entry.labels.size;
      filters += 1;
      if (entry.waiting > 0 || filters === 1) continue;
      if (filters > CACHED_FILTERS || labels > CACHED_LABELS) cache.delete(key);
    }
  }

  /**
   * Adds the labels that `filter` lets through to `matched`. Between two steps anything may be written: that is put
   * into `matched` by the write, and whatever is looked at is looked at as it is by then.
   */
  function* collect(filter: CompiledFilter, matched: Set<number>): Generator<void> {
    const conditions: (CompiledCondition & { readonly candidates: Candidates | undefined })[] = [];
    for (const each of filter.conditions) conditions.push({ ...each, candidates: yield* candidates(each) });
    conditions.sort((a, b) => (a.candidates?.size ?? live.size) - (b.candidates?.size ?? live.size));
    // A column may be another one after each step.
    const columnsNow = () => conditions.map(({ key, test }) => ({ values: columns.get(key)?.values, test }));
    let tests = columnsNow();
    let looked = 0;
    for (const label of conditions[0]?.candidates?.labels() ?? live.keys()) {
      if (tests.every(({ values, test }) => test(values?.get(label)))) matched.add(label);
      if (++looked % STEP !== 0) continue;
      yield;
      tests = columnsNow();
    }
  }

  /** A superset of the labels that meet the condition; undefined: all of them. */
  function* candidates({ key, condition, test }: CompiledCondition): Generator<void, Candidates | undefined> {
    // What a cover without the attribute meets may be met by any.
    if (test(undefined)) return undefined;
    const column = columns.get(key);
    if (column === undefined) return { size: 0, labels: () => [] };
    const wanted = wantedValues(condition);
    if (wanted === undefined) return { size: column.values.size, labels: () => column.values.keys() };
    yield* everyNth(STEP, complete(column));
    const found = [...new Set(wanted)].map((value) => labelsOf(column.postings?.get(value)));
    return {
      size: found.reduce((sum, posting) => sum + posting.size, 0),
      labels: function* () {
        for (const posting of found) yield* posting;
      },
    };
  }

  return {
    get size() {
      return live.size;
    },
    labels: () => live.keys(),
    has: (label) => live.has(label),
    set,
    remove,
    prepare,
    matching,
  };
}

interface Candidates {
  /** At least the number of different labels. */
  readonly size: number;
  labels(): Iterable<number>;
}

function addValue({ values, postings }: Column, label: number, value: AttributeValue): void {
  values.set(label, value);
  if (postings !== undefined) addPostings(postings, label, value);
}

/** Value by value. What is set meanwhile has its posting already, and to add it again does no harm. */
function* complete(column: Column): Iterable<void> {
  if (column.isComplete) return;
  column.postings ??= new Map();
  for (const [label, value] of column.values) {
    addPostings(column.postings, label, value);
    yield;
  }
  column.isComplete = true;
}

function addPostings(postings: Postings, label: number, value: AttributeValue): void {
  for (const scalar of scalarsOf(value)) {
    const posting = postings.get(scalar);
    if (posting === undefined) postings.set(scalar, label);
    else if (typeof posting !== 'number') posting.add(label);
    else if (posting !== label) postings.set(scalar, new Set([posting, label]));
  }
}

function removeValue(columns: Map<string, Column>, key: string, label: number): void {
  const column = columns.get(key);
  const value = column?.values.get(label);
  if (column === undefined || value === undefined) return;
  column.values.delete(label);
  if (column.values.size === 0) columns.delete(key);
  const { postings } = column;
  if (postings === undefined) return;
  for (const scalar of scalarsOf(value)) {
    const posting = postings.get(scalar);
    if (typeof posting === 'object') posting.delete(label);
    if (posting === label || (typeof posting === 'object' && posting.size === 0)) postings.delete(scalar);
  }
}

function* everyNth(n: number, steps: Iterable<void>): Iterable<void> {
  let taken = 0;
  for (const _ of steps) if (++taken % n === 0) yield;
}

function labelsOf(posting: Posting | undefined): ReadonlySet<number> {
  return typeof posting === 'object' ? posting : new Set(posting === undefined ? [] : [posting]);
}
