import { type JudgedPairs, rowsOf } from '../judgements/judged-pairs.ts';

/** Queries that have something in common. */
export interface Slice {
  readonly dimension: 'query length' | 'label mix' | 'OCR presence';
  readonly group: string;
  readonly queries: readonly number[];
}

/** Upper ends, in characters; CBVS queries are 2 to 30 long, half of them below 8. */
const LENGTHS = [4, 8, 12] as const;

/**
 * Cuts the queries by length, by the labels that their covers have, and, where it is known how likely each cover is to
 * have text drawn on it (`presence`, [C]), by how many of their covers do.
 */
export function sliceQueries(pairs: JudgedPairs, presence?: readonly (number | undefined)[]): Slice[] {
  const byLength = group(pairs, (query) => lengthGroup(pairs.queries[query] ?? ''));
  const byLabels = group(pairs, (query) => labelGroup(pairs, query));
  const byPresence =
    presence === undefined ? new Map() : group(pairs, (query) => presenceGroup(pairs, query, presence));
  return [
    ...slicesOf('query length', byLength),
    ...slicesOf('label mix', byLabels),
    ...slicesOf('OCR presence', byPresence),
  ];
}

/** Group names start with a letter that is not shown, by which they are ordered. */
type Groups = Map<string, number[]>;

function group(pairs: JudgedPairs, groupOf: (query: number) => string | undefined): Groups {
  const groups: Groups = new Map();
  for (let query = 0; query < pairs.queries.length; query++) {
    const name = groupOf(query);
    if (name === undefined) continue;
    const queries = groups.get(name) ?? [];
    groups.set(name, queries);
    queries.push(query);
  }
  return groups;
}

function slicesOf(dimension: Slice['dimension'], groups: Groups): Slice[] {
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, queries]) => ({ dimension, group: name.slice(1), queries }));
}

function lengthGroup(query: string): string {
  const length = [...query].length;
  const upTo = LENGTHS.findIndex((end) => length <= end);
  if (upTo === -1) return `zover ${LENGTHS.at(-1)} characters`;
  const from = upTo === 0 ? 1 : (LENGTHS[upTo - 1] ?? 0) + 1;
  return `${'abc'[upTo]}${from}–${LENGTHS[upTo]} characters`;
}

function labelGroup(pairs: JudgedPairs, query: number): string {
  const { from, to } = rowsOf(pairs, query);
  const labels = [...new Set(pairs.label.subarray(from, to))].sort();
  return labels.length === 1 ? `zonly ${labels[0]}` : `${labels.length === 2 ? 'b' : 'a'}${labels.join(' and ')}`;
}

function presenceGroup(
  pairs: JudgedPairs,
  query: number,
  presence: readonly (number | undefined)[],
): string | undefined {
  const { from, to } = rowsOf(pairs, query);
  const known = Array.from(pairs.cover.subarray(from, to), (cover) => presence[cover]).filter(
    (value) => value !== undefined,
  );
  if (known.length === 0) return undefined;
  const share = known.filter((value) => value >= 0.5).length / known.length;
  if (share < 1 / 3) return 'afew covers with text';
  return share <= 2 / 3 ? 'bsome covers with text' : 'cmost covers with text';
}
