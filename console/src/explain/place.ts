import { hasRerankSignals, towerSignals, type WeighedSum, weigh } from '../ranking/weigh.ts';
import type { Hit, Weights } from '../service/types.ts';

export interface ScoredCover {
  /** Undefined for a picture that is in no index. */
  readonly id: string | undefined;
  readonly signals: Weights;
}

export interface PlaceSettings {
  readonly recallK: number;
  readonly rerankK: number;
  readonly weights: Weights;
}

/**
 * Where a cover would stand.
 * - `ranked`: it is in the ranking
 * - `hypothetical`: it is not, and this is the place that its scores would give it
 * - `not recalled`: more covers than recall_k have a higher cosine, so the ranking never looks at it
 * - `beyond`: all covers that were looked at have a higher cosine; its rank is worse than their number
 *
 * The score is the one that decides its place: at the stage `recall` without the reranker's signals. Where the ranking
 * does not look at the cover it counts them all.
 */
export type Place = WeighedSum & { readonly recallRank: number } & (
    | { readonly kind: 'ranked' | 'hypothetical'; readonly rank: number; readonly stage: Hit['stage'] }
    | { readonly kind: 'not recalled' | 'beyond' }
  );

/**
 * `hits` is a ranking of the same query and weights that recalled deeper than `settings.recallK`, with signals; it holds
 * the best by cosine without a gap. Only the first recallK of them would be in the ranking that is asked about.
 */
export function placeOf(
  subject: ScoredCover,
  hits: readonly Hit[],
  { recallK, rerankK, weights }: PlaceSettings,
): Place {
  const indexed = hits.find(({ id }) => id === subject.id);
  const others = hits.filter((hit) => hit !== indexed);
  const recallRank = indexed?.recall_rank ?? 1 + countNearer(others, subject.signals);
  const unseen = weigh(subject.signals, weights);
  if (indexed === undefined && recallRank > others.length && others.length > recallK) {
    return { kind: 'beyond', recallRank: others.length, ...unseen };
  }
  if (recallRank > recallK) return { kind: 'not recalled', recallRank, ...unseen };

  // A cover that is not in the index yet pushes back those behind it: the last one is no longer recalled, or reranked.
  const recallRankBeside = ({ recall_rank }: Hit): number =>
    indexed === undefined && recall_rank >= recallRank ? recall_rank + 1 : recall_rank;
  const recalled = others.filter((hit) => recallRankBeside(hit) <= recallK);
  const reranked = recalled.filter((hit) => recallRankBeside(hit) <= rerankK && hit.stage === 'rerank');

  // Scores of the two stages have other terms and are not compared: a cover competes within its stage alone.
  const isReranked = recallRank <= rerankK && hasRerankSignals(subject.signals);
  const weighed = (signals: Weights): WeighedSum => weigh(isReranked ? signals : towerSignals(signals), weights);
  const own = weighed(subject.signals);
  const rivals = isReranked ? reranked : recalled.filter((hit) => !reranked.includes(hit));
  const ahead = rivals.filter((rival) => {
    const { score } = weighed(rival.signals ?? {});
    return score > own.score || (score === own.score && rival.recall_rank < recallRank);
  });
  return {
    kind: indexed === undefined ? 'hypothetical' : 'ranked',
    recallRank,
    rank: 1 + ahead.length + (isReranked ? 0 : reranked.length),
    stage: isReranked ? 'rerank' : 'recall',
    ...own,
  };
}

function countNearer(hits: readonly Hit[], signals: Weights): number {
  const cosine = signals['cosine'] ?? 0;
  return hits.filter((hit) => (hit.signals?.['cosine'] ?? 0) > cosine).length;
}
