import { type Interval, percentileInterval, type ResamplingOptions } from '../statistics/bootstrap.ts';
import { createRandomInt, drawWithReplacement } from '../statistics/resample.ts';

export interface MatchingEstimate {
  readonly name: 'auc' | 'accuracy';
  /** Null where it cannot be told, as AUC where all labels are the same. */
  readonly value: number | null;
  readonly interval: Interval | null;
}

/** Pairs in ascending order of their scores, with the ends of each run of equal scores. */
interface SortedPairs {
  readonly order: Int32Array;
  readonly sorted: Float64Array;
}

/**
 * AUC (the chance that a matching pair scores higher than one that does not match, a tie counting half) and accuracy,
 * where a score above `threshold` says that the pair matches, with bootstrap intervals over pairs. Labels are 0 or 1.
 */
export function matchingEstimates(
  labels: Uint8Array,
  scores: Float64Array,
  threshold: number,
  options: ResamplingOptions,
): MatchingEstimate[] {
  const pairs = sortPairs(scores);
  const counts = new Int32Array(labels.length).fill(1);
  const value = { auc: auc(labels, pairs, counts), accuracy: accuracy(labels, scores, threshold, counts) };
  const samples = { auc: [] as number[], accuracy: [] as number[] };
  const random = createRandomInt(options.seed);
  for (let resample = 0; resample < options.resamples; resample++) {
    drawWithReplacement(random, counts);
    const resampled = auc(labels, pairs, counts);
    if (resampled !== null) samples.auc.push(resampled);
    samples.accuracy.push(accuracy(labels, scores, threshold, counts));
  }
  return (['auc', 'accuracy'] as const).map((name) => ({
    name,
    value: value[name],
    interval: value[name] === null ? null : percentileInterval(samples[name], options.confidence),
  }));
}

/** AUC of labels 0 and 1; null where only one of them occurs. */
export function areaUnderCurve(labels: Uint8Array, scores: Float64Array): number | null {
  return auc(labels, sortPairs(scores), new Int32Array(labels.length).fill(1));
}

function sortPairs(scores: Float64Array): SortedPairs {
  const order = Int32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  return { order, sorted: Float64Array.from(order, (pair) => scores[pair] ?? 0) };
}

function auc(labels: Uint8Array, { order, sorted }: SortedPairs, counts: Int32Array): number | null {
  let right = 0;
  let positives = 0;
  let negatives = 0;
  for (let from = 0; from < order.length; ) {
    let positivesHere = 0;
    let negativesHere = 0;
    let to = from;
    for (; to < order.length && sorted[to] === sorted[from]; to++) {
      const pair = order[to] ?? 0;
      const count = counts[pair] ?? 0;
      if (labels[pair] === 1) positivesHere += count;
      else negativesHere += count;
    }
    right += positivesHere * (negatives + negativesHere / 2);
    positives += positivesHere;
    negatives += negativesHere;
    from = to;
  }
  return positives === 0 || negatives === 0 ? null : right / (positives * negatives);
}

function accuracy(labels: Uint8Array, scores: Float64Array, threshold: number, counts: Int32Array): number {
  let right = 0;
  let all = 0;
  for (let pair = 0; pair < labels.length; pair++) {
    const count = counts[pair] ?? 0;
    all += count;
    if (((scores[pair] ?? 0) > threshold ? 1 : 0) === labels[pair]) right += count;
  }
  return right / all;
}
