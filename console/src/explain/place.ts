import { towerSignals, weigh } from '../ranking/weigh.ts';
import type { Hit, Weights } from '../service/types.ts';

export interface Subject {
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
 */
export type Place =
  | {
      readonly kind: 'ranked' | 'hypothetical';
      readonly recallRank: number;
      readonly rank: number;
      readonly stage: Hit['stage'];
    }
  | { readonly kind: 'not recalled'; readonly recallRank: number }
  | { readonly kind: 'beyond'; readonly recallRank: number };

/**
 * `hits` is a ranking of the same query and weights that recalled deeper than `settings.recallK`, with signals; it holds
 * the best by cosine without a gap. Only the first recallK of them would be in the ranking that is asked about.
 */
export function placeOf(subject: Subject, hits: readonly Hit[], settings: PlaceSettings): Place {
  const own = hits.find(({ id }) => id === subject.id);
  const others = hits.filter((hit) => hit !== own);
  const cosine = subject.signals['cosine'] ?? 0;
  const recallRank = own?.recall_rank ?? 1 + others.filter((hit) => (hit.signals?.['cosine'] ?? 0) > cosine).length;
  if (own === undefined && recallRank > others.length && others.length > settings.recallK) {
    return { kind: 'beyond', recallRank: others.length };
  }
  if (recallRank > settings.recallK) return { kind: 'not recalled', recallRank };

  // A cover that is not in the index yet takes the place of the last one that was recalled, and of the last reranked.
  const pushes = own === undefined ? 1 : 0;
  const recalled = others.filter((hit) => hit.recall_rank <= settings.recallK - pushes);
  const reranked = recalled.filter((hit) => hit.recall_rank <= settings.rerankK - pushes && hit.stage === 'rerank');
  const isReranked = recallRank <= settings.rerankK && hasRerankSignals(subject.signals);
  const signals = isReranked ? subject.signals : towerSignals(subject.signals);
  const score = weigh(signals, settings.weights);
  const rivals = isReranked ? reranked : recalled.filter((hit) => !reranked.includes(hit));
  const ahead = rivals.filter((hit) => isAhead(hit, isReranked, score, recallRank, settings.weights)).length;
  return {
    kind: own === undefined ? 'hypothetical' : 'ranked',
    recallRank,
    rank: 1 + ahead + (isReranked ? 0 : reranked.length),
    stage: isReranked ? 'rerank' : 'recall',
  };
}

function isAhead(hit: Hit, isReranked: boolean, score: number, recallRank: number, weights: Weights): boolean {
  const signals = hit.signals ?? {};
  const theirs = weigh(isReranked ? signals : towerSignals(signals), weights);
  return theirs > score || (theirs === score && hit.recall_rank < recallRank);
}

function hasRerankSignals(signals: Weights): boolean {
  return Object.keys(signals).length > Object.keys(towerSignals(signals)).length;
}
