import { type JudgedPairs, rowsOf } from '../judgements/judged-pairs.ts';
import { orderByScore } from '../metrics/ranking.ts';

/** A cover as a report shows it. */
export interface ShownCover {
  readonly id: string;
  readonly label: number;
  readonly score: number;
}

/** A query in two orders: as it was ranked and as it ought to be, or as two systems ranked it. */
export interface ShownQuery {
  readonly query: string;
  readonly before: number;
  readonly after: number;
  /** after - before, of the metric that the list is sorted by. */
  readonly change: number;
  readonly orders: readonly { readonly name: string; readonly covers: readonly ShownCover[] }[];
}

export const SHOWN_QUERIES = 20;
const SHOWN_COVERS = 6;

/** The first covers of a query in the order of their scores, as NDCG ranks them. */
export function coversByScore(pairs: JudgedPairs, scores: Float64Array, query: number): ShownCover[] {
  const { from, to } = rowsOf(pairs, query);
  return shown(pairs, scores, from, orderByScore(scores.subarray(from, to), 'later first'));
}

/** The first covers of a query in the best order there is; of equal labels the higher score first. */
export function coversByLabel(pairs: JudgedPairs, scores: Float64Array, query: number): ShownCover[] {
  const { from, to } = rowsOf(pairs, query);
  const byScore = orderByScore(scores.subarray(from, to), 'later first');
  const labels = pairs.label.subarray(from, to);
  return shown(
    pairs,
    scores,
    from,
    byScore.sort((a, b) => (labels[b] ?? 0) - (labels[a] ?? 0)),
  );
}

function shown(pairs: JudgedPairs, scores: Float64Array, from: number, order: readonly number[]): ShownCover[] {
  return order.slice(0, SHOWN_COVERS).map((position) => ({
    id: pairs.covers[pairs.cover[from + position] ?? 0] ?? '',
    label: pairs.label[from + position] ?? 0,
    score: scores[from + position] ?? 0,
  }));
}
