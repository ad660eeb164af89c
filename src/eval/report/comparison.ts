import type { JudgedPairs } from '../judgements/judged-pairs.ts';
import { type QueryMetric, selectQueries } from '../metrics/query-metric.ts';
import { rankingMetrics } from '../metrics/ranking.ts';
import type { ResamplingOptions } from '../statistics/bootstrap.ts';
import { comparePaired, isSignificant, type PairedDifference } from '../statistics/paired.ts';
import { coversByScore, SHOWN_QUERIES, type ShownQuery } from './ranked-queries.ts';
import type { Slice } from './slices.ts';

export interface System {
  readonly name: string;
  /** [R] */
  readonly scores: Float64Array;
}

/** Two systems on the same judgements: what the second gains over the first. */
export interface Comparison {
  readonly a: string;
  readonly b: string;
  readonly metrics: readonly PairedDifference[];
  /** Gain in `SORTED_BY` per slice. */
  readonly slices: readonly SliceGain[];
  /** By `SORTED_BY`, most first. */
  readonly lost: readonly ShownQuery[];
  readonly gained: readonly ShownQuery[];
}

export interface SliceGain extends Omit<Slice, 'queries'> {
  readonly queries: number;
  readonly gain: PairedDifference;
}

/** The metric by which queries are sorted and slices compared: of those of the field the one that says most of a query. */
export const SORTED_BY = 'ndcg@10';

export function compareSystems(
  pairs: JudgedPairs,
  a: System,
  b: System,
  slices: readonly Slice[],
  options: ResamplingOptions & { readonly relevantLabel: number },
): Comparison {
  const metricsA = rankingMetrics(pairs, a.scores, options.relevantLabel).metrics;
  const metricsB = rankingMetrics(pairs, b.scores, options.relevantLabel).metrics;
  const [sortedA, sortedB] = [sortedBy(metricsA), sortedBy(metricsB)];
  const changes = pairs.queries.map((_, query) => (sortedB.numerator[query] ?? 0) - (sortedA.numerator[query] ?? 0));
  const ordered = [...changes.keys()].sort((x, y) => (changes[x] ?? 0) - (changes[y] ?? 0) || x - y);

  const show = (query: number): ShownQuery => ({
    query: pairs.queries[query] ?? '',
    before: sortedA.numerator[query] ?? 0,
    after: sortedB.numerator[query] ?? 0,
    change: changes[query] ?? 0,
    orders: [
      { name: a.name, covers: coversByScore(pairs, a.scores, query) },
      { name: b.name, covers: coversByScore(pairs, b.scores, query) },
    ],
  });
  return {
    a: a.name,
    b: b.name,
    metrics: comparePaired(metricsA, metricsB, options),
    slices: slices.flatMap(({ queries, ...slice }) => {
      const [gain] = comparePaired([selectQueries(sortedA, queries)], [selectQueries(sortedB, queries)], options);
      return gain === undefined ? [] : [{ ...slice, queries: queries.length, gain }];
    }),
    lost: ordered
      .filter((query) => (changes[query] ?? 0) < 0)
      .slice(0, SHOWN_QUERIES)
      .map(show),
    gained: ordered
      .filter((query) => (changes[query] ?? 0) > 0)
      .reverse()
      .slice(0, SHOWN_QUERIES)
      .map(show),
  };
}

/** What a person should take from it, in one sentence. */
export function comparisonVerdict({ metrics, a, b }: Pick<Comparison, 'metrics' | 'a' | 'b'>): string {
  const sorted = metrics.find(({ name }) => name === SORTED_BY);
  if (sorted === undefined || sorted.difference === null) return `${a} and ${b} cannot be compared: no query counts.`;
  if (!isSignificant(sorted)) return `The difference in ${SORTED_BY} is not significant: its interval holds 0.`;
  return `${b} is ${sorted.difference > 0 ? 'better' : 'worse'} than ${a} in ${SORTED_BY}: the interval of the difference does not hold 0.`;
}

export function sortedBy(metrics: readonly QueryMetric[]): QueryMetric {
  const metric = metrics.find(({ name }) => name === SORTED_BY);
  if (metric === undefined) throw new Error(`there is no metric ${SORTED_BY}`);
  return metric;
}
