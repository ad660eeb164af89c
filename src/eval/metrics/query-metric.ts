/**
 * A metric as a ratio of two sums over queries, Σ numerator / Σ denominator, which every ranking metric here is: a mean
 * over the queries that count has a denominator of 1 for those and of 0 for the rest, and PNR counts pairs in both. So
 * one bootstrap, one paired test and one way of slicing serve them all.
 */
export interface QueryMetric {
  readonly name: string;
  /** [Q] */
  readonly numerator: Float64Array;
  /** [Q] */
  readonly denominator: Float64Array;
  /** The sum of the denominators counts as at least this. */
  readonly minDenominator: number;
}

/** Σ numerator / Σ denominator over all queries, or null where nothing counts: a report never holds a NaN. */
export function metricValue(metric: QueryMetric): number | null {
  let numerator = 0;
  let denominator = 0;
  for (let query = 0; query < metric.numerator.length; query++) {
    numerator += metric.numerator[query] ?? 0;
    denominator += metric.denominator[query] ?? 0;
  }
  return ratio(numerator, denominator, metric.minDenominator);
}

export function ratio(numerator: number, denominator: number, minDenominator: number): number | null {
  if (numerator === 0 && denominator === 0) return null;
  const value = numerator / Math.max(minDenominator, denominator);
  return Number.isFinite(value) ? value : null;
}

/** Queries that the metric says something about. */
export function countedQueries({ numerator, denominator }: QueryMetric): number {
  let counted = 0;
  for (let query = 0; query < numerator.length; query++) {
    if (numerator[query] !== 0 || denominator[query] !== 0) counted += 1;
  }
  return counted;
}

/** The metric of the queries in `queries` alone. */
export function selectQueries(metric: QueryMetric, queries: readonly number[]): QueryMetric {
  return {
    ...metric,
    numerator: Float64Array.from(queries, (query) => metric.numerator[query] ?? 0),
    denominator: Float64Array.from(queries, (query) => metric.denominator[query] ?? 0),
  };
}

/** A mean over the queries for which `values` has a number. */
export function meanMetric(name: string, values: readonly (number | undefined)[]): QueryMetric {
  return {
    name,
    numerator: Float64Array.from(values, (value) => value ?? 0),
    denominator: Float64Array.from(values, (value) => (value === undefined ? 0 : 1)),
    minDenominator: 0,
  };
}
