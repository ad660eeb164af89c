import type { RowProblems } from './row-problems.ts';

/**
 * Judged (query, cover) pairs as columns, the rows of each query side by side and in the order of their file.
 * R rows, Q distinct queries, C distinct covers.
 */
export interface JudgedPairs {
  /** [Q], in the order in which they first appear. */
  readonly queries: readonly string[];
  /** [C], in the order in which they first appear. */
  readonly covers: readonly string[];
  /** [Q + 1]: query q has the rows starts[q] … starts[q + 1] - 1. */
  readonly starts: Int32Array;
  /** [R]: index into `covers`. */
  readonly cover: Int32Array;
  /** [R] */
  readonly label: Uint8Array;
  /** [R]: line of the file, from 1; 0 for a pair that nobody judged. */
  readonly line: Int32Array;
}

export interface PairsBuilder {
  add(query: string, cover: string, label: number, line: number): void;
  /** `order[row]` is the position, in the order of adding, of what became this row. */
  finish(): { readonly pairs: JudgedPairs; readonly order: Int32Array };
}

/** Collects pairs in any order. With `problems`, pairs that were added before are counted there. */
export function createPairsBuilder(problems?: RowProblems): PairsBuilder {
  const queries = new Map<string, number>();
  const covers = new Map<string, number>();
  const rows: { query: number; cover: number; label: number; line: number }[] = [];
  /** Label of each pair, by query and then cover. */
  const seen: Map<number, number>[] = [];

  function noteRepetition(query: number, cover: number, label: number, line: number): void {
    const labels = seen[query] ?? new Map<number, number>();
    seen[query] = labels;
    const earlier = labels.get(cover);
    if (earlier === undefined) labels.set(cover, label);
    else problems?.add(earlier === label ? 'duplicate_pair' : 'conflicting_label', line);
  }

  return {
    add(queryText, coverId, label, line) {
      const query = numberOf(queries, queryText);
      const cover = numberOf(covers, coverId);
      noteRepetition(query, cover, label, line);
      rows.push({ query, cover, label, line });
    },
    finish() {
      const starts = new Int32Array(queries.size + 1);
      for (const { query } of rows) starts[query + 1] = (starts[query + 1] ?? 0) + 1;
      for (let query = 0; query < queries.size; query++) starts[query + 1] = at(starts, query + 1) + at(starts, query);
      const next = starts.slice();
      const order = new Int32Array(rows.length);
      for (const [position, { query }] of rows.entries()) {
        const row = at(next, query);
        order[row] = position;
        next[query] = row + 1;
      }
      const column = (read: (row: (typeof rows)[number]) => number): Int32Array =>
        order.map((position) => read(rows[position] as (typeof rows)[number]));
      return {
        order,
        pairs: {
          queries: [...queries.keys()],
          covers: [...covers.keys()],
          starts,
          cover: column(({ cover }) => cover),
          label: Uint8Array.from(column(({ label }) => label)),
          line: column(({ line }) => line),
        },
      };
    },
  };
}

/** The rows of one query. */
export function rowsOf({ starts }: JudgedPairs, query: number): { readonly from: number; readonly to: number } {
  return { from: at(starts, query), to: at(starts, query + 1) };
}

/** The rows of several queries, in the queries' order. */
export function rowsOfQueries(pairs: JudgedPairs, queries: readonly number[]): number[] {
  return queries.flatMap((query) => {
    const { from, to } = rowsOf(pairs, query);
    return Array.from({ length: to - from }, (_, offset) => from + offset);
  });
}

/** [R]: the query of each row. */
export function queryOfRows(pairs: JudgedPairs): Int32Array {
  const query = new Int32Array(pairs.label.length);
  for (let q = 0; q < pairs.queries.length; q++) {
    const { from, to } = rowsOf(pairs, q);
    query.fill(q, from, to);
  }
  return query;
}

/** The rows that `keep` says yes to, and the queries that have any; scores are filtered by `rows`. */
export function filterRows(
  pairs: JudgedPairs,
  keep: (row: number) => boolean,
): { readonly pairs: JudgedPairs; readonly rows: Int32Array } {
  const queries: string[] = [];
  const starts = [0];
  const rows: number[] = [];
  for (const [query, text] of pairs.queries.entries()) {
    rows.push(...rowsOfQueries(pairs, [query]).filter(keep));
    if (rows.length === starts.at(-1)) continue;
    queries.push(text);
    starts.push(rows.length);
  }
  const kept = Int32Array.from(rows);
  return {
    rows: kept,
    pairs: {
      ...pairs,
      queries,
      starts: Int32Array.from(starts),
      cover: kept.map((row) => at(pairs.cover, row)),
      label: Uint8Array.from(kept, (row) => at(pairs.label, row)),
      line: kept.map((row) => at(pairs.line, row)),
    },
  };
}

/** An element that is known to be there. */
function at(array: { readonly [index: number]: number }, index: number): number {
  return array[index] ?? 0;
}

function numberOf(numbers: Map<string, number>, name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  numbers.set(name, numbers.size);
  return numbers.size - 1;
}
