import { computed, type ReadonlySignal, signal } from '@preact/signals';

/** Queries of a set at most: each costs two rankings in a comparison. */
export const MAX_QUERIES = 2_000;

/** The queries that somebody works through: typed, pasted, read from a file, or given as a list. */
export interface QuerySet {
  /** What stands in the field. */
  readonly text: ReadonlySignal<string>;
  /** Each once, MAX_QUERIES at most. */
  readonly queries: ReadonlySignal<readonly string[]>;
  type(text: string): void;
  /** Takes queries as they are, whatever they would mean as lines of a file, until something is typed. */
  take(queries: readonly string[]): void;
}

export function createQuerySet(): QuerySet {
  const text = signal('');
  const taken = signal<readonly string[] | undefined>(undefined);
  return {
    text,
    queries: computed(() => taken.value ?? parseQuerySet(text.value)),
    type(given) {
      taken.value = undefined;
      text.value = given;
    },
    take(queries) {
      taken.value = bounded(queries);
      text.value = taken.value.join('\n');
    },
  };
}

/**
 * The queries of a pasted or uploaded text, each once. A line is
 * - a comment, if it begins with `#` and white space: `#cats` is a query
 * - JSON: its `query`
 * - a TREC topic, if it has two columns and the first is a number: the second
 * - a judgement or a plain query otherwise: its first column
 */
export function parseQuerySet(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const queries = lines.filter((line) => !/^#(\s|$)/.test(line)).map(queryOfLine);
  return bounded(queries.filter((query) => query !== ''));
}

function bounded(queries: readonly string[]): string[] {
  return [...new Set(queries)].slice(0, MAX_QUERIES);
}

function queryOfLine(line: string): string {
  const fromJson = queryOfJson(line);
  if (fromJson !== undefined) return fromJson;
  const columns = line.split('\t').map((column) => column.trim());
  const [first = '', second = ''] = columns;
  // Judgements have a third column: there a number in the first one is what somebody searched for.
  const isTopic = columns.length === 2 && /^\d+$/.test(first);
  return isTopic ? second : first;
}

/** Undefined for what is no JSON object; empty for one without a query. */
function queryOfJson(line: string): string | undefined {
  if (!line.trimStart().startsWith('{')) return undefined;
  try {
    const { query } = JSON.parse(line) as { readonly query?: unknown };
    return typeof query === 'string' ? query.trim() : '';
  } catch {
    return undefined;
  }
}
