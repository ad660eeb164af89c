import { metricValue, type QueryMetric, ratio } from '../metrics/query-metric.ts';
import { type Interval, percentileInterval, type ResamplingOptions, weightedSum } from './bootstrap.ts';
import { createRandomInt, drawWithReplacement } from './resample.ts';

/** One metric of two systems on the same queries. */
export interface PairedDifference {
  readonly name: string;
  readonly a: number | null;
  readonly b: number | null;
  /** b - a */
  readonly difference: number | null;
  /** Of the difference, by paired bootstrap; null where there is nothing to draw from. */
  readonly interval: Interval | null;
  /** Chance of a difference at least this large if the two systems were interchangeable, query by query. */
  readonly pValue: number | null;
  /** Queries on which the two differ. */
  readonly differing: number;
}

/** Sums that should be the same may differ by the order of their terms. */
const ROUNDING = 1e-12;

/**
 * Compares two systems query by query: the interval resamples queries, taking both systems' share of each; the p-value
 * is of Fisher's randomisation test, which swaps the two systems on random queries (Smucker, Allan and Carterette 2007).
 * `a` and `b` hold the same metrics over the same queries.
 */
export function comparePaired(
  a: readonly QueryMetric[],
  b: readonly QueryMetric[],
  options: ResamplingOptions,
): PairedDifference[] {
  const pairs = a.map((metric, position) => ({ a: metric, b: b[position] ?? metric }));
  const bootstrapped = bootstrapDifferences(pairs, options);
  const randomised = randomiseDifferences(pairs, options);
  return pairs.map((pair, position) => {
    const [valueA, valueB] = [metricValue(pair.a), metricValue(pair.b)];
    const difference = valueA === null || valueB === null ? null : valueB - valueA;
    return {
      name: pair.a.name,
      a: valueA,
      b: valueB,
      difference,
      interval: difference === null ? null : percentileInterval(bootstrapped[position] ?? [], options.confidence),
      pValue: difference === null ? null : shareAtLeast(randomised[position] ?? [], Math.abs(difference)),
      differing: countDiffering(pair),
    };
  });
}

/** True when the whole interval lies on one side of 0. */
export function isSignificant({ interval }: Pick<PairedDifference, 'interval'>): boolean {
  return interval !== null && (interval.low > 0 || interval.high < 0);
}

interface MetricPair {
  readonly a: QueryMetric;
  readonly b: QueryMetric;
}

function bootstrapDifferences(pairs: readonly MetricPair[], { resamples, seed }: ResamplingOptions): number[][] {
  const counts = new Int32Array(pairs[0]?.a.numerator.length ?? 0);
  const random = createRandomInt(seed);
  const differences = pairs.map((): number[] => []);
  if (counts.length < 2) return differences;
  const figureOf = (metric: QueryMetric): number | null =>
    ratio(weightedSum(metric.numerator, counts), weightedSum(metric.denominator, counts), metric.minDenominator);
  for (let resample = 0; resample < resamples; resample++) {
    drawWithReplacement(random, counts);
    pairs.forEach(({ a, b }, position) => {
      const [valueA, valueB] = [figureOf(a), figureOf(b)];
      if (valueA !== null && valueB !== null) differences[position]?.push(valueB - valueA);
    });
  }
  return differences;
}

/** Absolute differences after swapping the systems on random queries. */
function randomiseDifferences(pairs: readonly MetricPair[], { resamples, seed }: ResamplingOptions): number[][] {
  const queries = pairs[0]?.a.numerator.length ?? 0;
  const random = createRandomInt(seed + 1);
  const swapped = new Uint8Array(queries);
  const differences = pairs.map((): number[] => []);
  for (let resample = 0; resample < resamples; resample++) {
    for (let query = 0; query < queries; query++) swapped[query] = random(0, 1);
    pairs.forEach((pair, position) => {
      const difference = swappedDifference(pair, swapped);
      if (difference !== null) differences[position]?.push(Math.abs(difference));
    });
  }
  return differences;
}

function swappedDifference({ a, b }: MetricPair, swapped: Uint8Array): number | null {
  let [numeratorA, numeratorB, denominatorA, denominatorB] = [0, 0, 0, 0];
  for (let query = 0; query < swapped.length; query++) {
    const [first, second] = swapped[query] === 1 ? [b, a] : [a, b];
    numeratorA += first.numerator[query] ?? 0;
    denominatorA += first.denominator[query] ?? 0;
    numeratorB += second.numerator[query] ?? 0;
    denominatorB += second.denominator[query] ?? 0;
  }
  const valueA = ratio(numeratorA, denominatorA, a.minDenominator);
  const valueB = ratio(numeratorB, denominatorB, b.minDenominator);
  return valueA === null || valueB === null ? null : valueB - valueA;
}

/** With the observed difference counted among the random ones, so that no p-value is 0. */
function shareAtLeast(values: readonly number[], observed: number): number {
  return (values.filter((value) => value >= observed - ROUNDING).length + 1) / (values.length + 1);
}

function countDiffering({ a, b }: MetricPair): number {
  let differing = 0;
  for (let query = 0; query < a.numerator.length; query++) {
    if (a.numerator[query] !== b.numerator[query] || a.denominator[query] !== b.denominator[query]) differing += 1;
  }
  return differing;
}
