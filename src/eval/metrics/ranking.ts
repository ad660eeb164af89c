import { type JudgedPairs, rowsOf } from '../judgements/judged-pairs.ts';
import { meanMetric, type QueryMetric } from './query-metric.ts';

export interface RankingMetrics {
  /** pnr, ndcg@1, ndcg@3, ndcg@5, ndcg@10, map. */
  readonly metrics: readonly QueryMetric[];
  readonly pairs: PairCounts;
  readonly queries: {
    readonly all: number;
    /** One row: nothing to compare, left out of PNR. */
    readonly ofOneRow: number;
    /** All rows have the same label: no order to get right, left out of NDCG. */
    readonly ofOneLabel: number;
    /** No row is relevant: left out of MAP. */
    readonly withoutRelevant: number;
  };
}

/** Pairs of rows of one query whose labels differ. */
export interface PairCounts {
  /** The higher label has the higher score. */
  readonly right: number;
  readonly wrong: number;
  readonly tied: number;
}

const NDCG_DEPTHS = [1, 3, 5, 10] as const;

/** Added to both sides of NDCG's ratio by the authors of CBVS, so that it is 1 where there is nothing to gain. */
const NDCG_EPSILON = 1e-6;

/**
 * The ranking metrics of CBVS-20K as CBVS-UniCLIP computes them. `scores` is [R]; a row is relevant to MAP from
 * `relevantLabel` on.
 */
export function rankingMetrics(pairs: JudgedPairs, scores: Float64Array, relevantLabel: number): RankingMetrics {
  const queries = pairs.queries.length;
  const pnr = { numerator: new Float64Array(queries), denominator: new Float64Array(queries) };
  const ndcg = NDCG_DEPTHS.map((): (number | undefined)[] => []);
  const averagePrecision: (number | undefined)[] = [];
  const counts = { right: 0, wrong: 0, tied: 0 };
  const left = { ofOneRow: 0, ofOneLabel: 0, withoutRelevant: 0 };

  for (let query = 0; query < queries; query++) {
    const { from, to } = rowsOf(pairs, query);
    const labels = pairs.label.subarray(from, to);
    const ofQuery = scores.subarray(from, to);

    const compared = comparePairs(labels, ofQuery);
    counts.right += compared.right;
    counts.wrong += compared.wrong;
    counts.tied += compared.tied;
    pnr.numerator[query] = compared.right + compared.tied / 2;
    pnr.denominator[query] = compared.wrong + compared.tied / 2;
    if (labels.length === 1) left.ofOneRow += 1;

    const ordered = labelsByScore(labels, ofQuery, 'later first');
    const hasOrder = ordered.some((label) => label !== ordered[0]);
    if (!hasOrder) left.ofOneLabel += 1;
    NDCG_DEPTHS.forEach((depth, position) => {
      ndcg[position]?.push(hasOrder ? ndcgAt(ordered, depth) : undefined);
    });

    const precision = averagePrecisionOf(labelsByScore(labels, ofQuery, 'earlier first'), relevantLabel);
    if (precision === undefined) left.withoutRelevant += 1;
    averagePrecision.push(precision);
  }

  return {
    metrics: [
      { name: 'pnr', ...pnr, minDenominator: 1 },
      ...NDCG_DEPTHS.map((depth, position) => meanMetric(`ndcg@${depth}`, ndcg[position] ?? [])),
      meanMetric('map', averagePrecision),
    ],
    pairs: counts,
    queries: { all: queries, ...left },
  };
}

/** Positions 0 … n - 1 from the highest score to the lowest. */
export function orderByScore(scores: Float64Array, ofEqual: 'later first' | 'earlier first'): number[] {
  const sign = ofEqual === 'later first' ? -1 : 1;
  return Array.from(scores.keys()).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || sign * (a - b));
}

/**
 * NDCG of labels in ranked order: gain 2^label - 1, discount log2(rank + 1), cut off at `depth`. The ideal order is that
 * of the same rows.
 */
export function ndcgAt(ranked: readonly number[], depth: number): number {
  const ideal = [...ranked].sort((a, b) => b - a);
  return (dcg(ranked, depth) + NDCG_EPSILON) / (dcg(ideal, depth) + NDCG_EPSILON);
}

function dcg(ranked: readonly number[], depth: number): number {
  return ranked.slice(0, depth).reduce((sum, label, position) => sum + (2 ** label - 1) / Math.log2(position + 2), 0);
}

/** Mean of the precisions at the ranks of the relevant rows; undefined where no row is relevant. */
function averagePrecisionOf(ranked: readonly number[], relevantLabel: number): number | undefined {
  let relevant = 0;
  let sum = 0;
  for (const [position, label] of ranked.entries()) {
    if (label < relevantLabel) continue;
    relevant += 1;
    sum += relevant / (position + 1);
  }
  return relevant === 0 ? undefined : sum / relevant;
}

function comparePairs(labels: Uint8Array, scores: Float64Array): PairCounts {
  let right = 0;
  let wrong = 0;
  let tied = 0;
  for (let a = 0; a < labels.length; a++) {
    for (let b = a + 1; b < labels.length; b++) {
      const byLabel = (labels[a] ?? 0) - (labels[b] ?? 0);
      if (byLabel === 0) continue;
      const byScore = ((scores[a] ?? 0) - (scores[b] ?? 0)) * byLabel;
      if (byScore > 0) right += 1;
      else if (byScore < 0) wrong += 1;
      else tied += 1;
    }
  }
  return { right, wrong, tied };
}

function labelsByScore(labels: Uint8Array, scores: Float64Array, ofEqual: 'later first' | 'earlier first'): number[] {
  return orderByScore(scores, ofEqual).map((position) => labels[position] ?? 0);
}
