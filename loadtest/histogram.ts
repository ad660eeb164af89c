import { build } from 'hdr-histogram-js';
import type { CurvePoint, Summary } from './report.ts';

/** Times in milliseconds, kept as whole microseconds: HDR histograms count integers. */
export interface TimeHistogram {
  readonly count: number;
  record(ms: number): void;
  percentileMs(percentile: number): number;
  summary(): Summary;
  /** The latency curve, its points denser towards 100 so that each further nine gets its share. */
  curve(): CurvePoint[];
}

const MICROSECONDS = 1000;
/** Steps for each tenfold of 1 / (1 - p). */
const CURVE_STEPS = 12;

/** `digits`: significant decimal digits that are kept; each more takes ten times the memory. */
export function createTimeHistogram(digits: 2 | 3 = 3): TimeHistogram {
  const histogram = build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: digits });
  let sumMs = 0;
  let maxMs = 0;
  const percentileMs = (percentile: number): number =>
    // A bucket's upper edge may lie above the highest value that was recorded.
    Math.min(histogram.getValueAtPercentile(percentile) / MICROSECONDS, maxMs);

  return {
    get count() {
      return histogram.totalCount;
    },
    record(ms) {
      const rounded = Math.max(0, Math.round(ms * MICROSECONDS));
      histogram.recordValue(rounded);
      sumMs += rounded / MICROSECONDS;
      maxMs = Math.max(maxMs, rounded / MICROSECONDS);
    },
    percentileMs,
    summary() {
      const count = histogram.totalCount;
      return {
        count,
        mean: count === 0 ? 0 : round(sumMs / count),
        p50: round(percentileMs(50)),
        p90: round(percentileMs(90)),
        p99: round(percentileMs(99)),
        p999: round(percentileMs(99.9)),
        max: round(maxMs),
      };
    },
    curve() {
      const points: CurvePoint[] = [];
      // Beyond 1 - 1/count every percentile is the maximum.
      const lastStep = Math.ceil(Math.log10(Math.max(1, histogram.totalCount)) * CURVE_STEPS);
      for (let step = 0; step <= lastStep; step++) {
        const percentile = 100 * (1 - 10 ** (-step / CURVE_STEPS));
        points.push({ percentile: Number(percentile.toFixed(6)), ms: round(percentileMs(percentile)) });
      }
      return points;
    },
  };
}

function round(ms: number): number {
  return Math.round(ms * MICROSECONDS) / MICROSECONDS;
}
