import { quantileSorted } from 'simple-statistics';
import { countedQueries, metricValue, type QueryMetric, ratio } from '../metrics/query-metric.ts';
import { createRandomInt, drawWithReplacement } from './resample.ts';

export interface ResamplingOptions {
  readonly resamples: number;
  readonly seed: number;
  /** Share of the resamples inside an interval, such as 0.95. */
  readonly confidence: number;
}

export const DEFAULT_RESAMPLING: ResamplingOptions = { resamples: 2000, seed: 1, confidence: 0.95 };

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A metric with the interval that resampling the queries gives it. */
export interface Estimate {
  readonly name: string;
  /** Null where no query counts. */
  readonly value: number | null;
  /** Null where there are fewer than two queries to draw from. */
  readonly interval: Interval | null;
  /** Queries that count. */
  readonly queries: number;
}

/**
 * Percentile bootstrap over queries (Efron): draws as many queries as there are, with replacement, and takes the middle
 * `confidence` of the metric's values. All metrics see the same draws.
 */
export function bootstrapMetrics(metrics: readonly QueryMetric[], options: ResamplingOptions): Estimate[] {
  const samples = resampleMetrics(metrics, options);
  return metrics.map((metric, position) => {
    const queries = countedQueries(metric);
    const interval = queries < 2 ? null : percentileInterval(samples[position] ?? [], options.confidence);
    return { name: metric.name, value: metricValue(metric), interval, queries };
  });
}

/** Values of each metric over the resamples; a resample in which nothing counts has none. */
function resampleMetrics(metrics: readonly QueryMetric[], { resamples, seed }: ResamplingOptions): number[][] {
  const queries = metrics[0]?.numerator.length ?? 0;
  const values = metrics.map((): number[] => []);
  if (queries === 0) return values;
  const random = createRandomInt(seed);
  const counts = new Int32Array(queries);
  for (let resample = 0; resample < resamples; resample++) {
    drawWithReplacement(random, counts);
    metrics.forEach((metric, position) => {
      const value = ratio(
        weightedSum(metric.numerator, counts),
        weightedSum(metric.denominator, counts),
        metric.minDenominator,
      );
      if (value !== null) values[position]?.push(value);
    });
  }
  return values;
}

/** The middle `confidence` of `values`; null where there are too few of them to have one. */
export function percentileInterval(values: readonly number[], confidence: number): Interval | null {
  if (values.length < 2) return null;
  const sorted = Array.from(Float64Array.from(values).sort());
  const tail = (1 - confidence) / 2;
  return { low: quantileSorted(sorted, tail), high: quantileSorted(sorted, 1 - tail) };
}

export function weightedSum(values: Float64Array, counts: Int32Array): number {
  let sum = 0;
  for (let position = 0; position < values.length; position++) sum += (values[position] ?? 0) * (counts[position] ?? 0);
  return sum;
}
