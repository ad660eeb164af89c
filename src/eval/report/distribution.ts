import type { Interval } from '../statistics/bootstrap.ts';

/** How the scores of each label are spread, over bins of equal width from the least score to the greatest. */
export interface ScoreDistribution {
  /** [bins + 1] */
  readonly edges: readonly number[];
  /** By label: the share of its rows that falls into each bin, [bins]. */
  readonly shares: readonly (readonly number[])[];
}

/** Rows of neighbouring scores, and how many of them are relevant. */
export interface CalibrationBin {
  /** Mean of the bin. */
  readonly score: number;
  readonly rows: number;
  readonly relevantShare: number;
  /** Of the share, by Wilson's score interval at 95 %. */
  readonly interval: Interval;
}

const BINS = 40;
const CALIBRATION_BINS = 12;
/** The normal distribution's 97.5 % point. */
const Z95 = 1.959964;

/** `labels` and `scores` are [R]; labels without a row have shares of 0. */
export function scoreDistribution(labels: Uint8Array, scores: Float64Array): ScoreDistribution {
  let [low, high, maxLabel] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let row = 0; row < scores.length; row++) {
    low = Math.min(low, scores[row] ?? low);
    high = Math.max(high, scores[row] ?? high);
    maxLabel = Math.max(maxLabel, labels[row] ?? 0);
  }
  const width = high - low || 1;
  const counts = Array.from({ length: maxLabel + 1 }, () => new Array<number>(BINS).fill(0));
  const rows = new Array<number>(maxLabel + 1).fill(0);
  for (let row = 0; row < scores.length; row++) {
    const label = labels[row] ?? 0;
    const bin = Math.min(BINS - 1, Math.floor((((scores[row] ?? low) - low) / width) * BINS));
    const ofLabel = counts[label] ?? [];
    ofLabel[bin] = (ofLabel[bin] ?? 0) + 1;
    rows[label] = (rows[label] ?? 0) + 1;
  }
  return {
    edges: Array.from({ length: BINS + 1 }, (_, edge) => low + (width * edge) / BINS),
    shares: counts.map((ofLabel, label) => ofLabel.map((count) => count / Math.max(1, rows[label] ?? 0))),
  };
}

/** Bins of about equally many rows, from the lowest scores to the highest. */
export function calibrationBins(labels: Uint8Array, scores: Float64Array, relevantLabel: number): CalibrationBin[] {
  const order = Int32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  const bins: CalibrationBin[] = [];
  const size = order.length / Math.min(CALIBRATION_BINS, order.length || 1);
  for (let bin = 0; Math.round(bin * size) < order.length; bin++) {
    const rows = order.subarray(Math.round(bin * size), Math.round((bin + 1) * size));
    const relevant = rows.reduce((count, row) => count + ((labels[row] ?? 0) >= relevantLabel ? 1 : 0), 0);
    bins.push({
      score: rows.reduce((sum, row) => sum + (scores[row] ?? 0), 0) / rows.length,
      rows: rows.length,
      relevantShare: relevant / rows.length,
      interval: wilsonInterval(relevant, rows.length),
    });
  }
  return bins;
}

/** Wilson 1927: stays inside 0 … 1 and is of use at both ends, where the plain interval is not. */
export function wilsonInterval(successes: number, trials: number): Interval {
  const share = successes / trials;
  const spread = Z95 * Math.sqrt((share * (1 - share)) / trials + Z95 ** 2 / (4 * trials ** 2));
  const middle = share + Z95 ** 2 / (2 * trials);
  const scale = 1 + Z95 ** 2 / trials;
  return { low: Math.max(0, (middle - spread) / scale), high: Math.min(1, (middle + spread) / scale) };
}
