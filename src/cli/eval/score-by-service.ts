import { failure } from '../../core/errors.ts';
import type { IndexedScore, ScoreIndexedPairs } from '../../eval/scoring/score-indexed.ts';
import type { ServiceClient } from '../service-client.ts';

interface ScoreAnswer {
  readonly pairs: readonly (
    | { readonly signals: Readonly<Record<string, number>>; readonly relevance_score: number }
    | { readonly error: { readonly code: string; readonly detail: string } }
  )[];
}

/** `POST /score` for covers of the service's index. */
export function createServiceScorer(client: ServiceClient): ScoreIndexedPairs {
  return async (pairs) => {
    const answer = (await client.call('POST', '/score', { pairs })) as ScoreAnswer;
    if (answer.pairs.length !== pairs.length) throw failure('unavailable', 'The service did not score every pair.');
    return answer.pairs.map((pair): IndexedScore => {
      if (!('error' in pair)) return { signals: pair.signals, relevanceScore: pair.relevance_score };
      if (pair.error.code === 'not_found') return { missing: pair.error.detail };
      throw failure('unavailable', `The service could not score a pair: ${pair.error.detail}`);
    });
  };
}
