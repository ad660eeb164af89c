import type { CoverrankError } from '../core/errors.ts';
import type { Signals } from '../core/types.ts';

/** One pair to score: a query with a cover of the index or with a picture. */
export interface ScorePair {
  readonly query: string;
  readonly image: { readonly id: string } | { readonly url: string } | { readonly bytes: Uint8Array };
}

export type PairScore =
  | { readonly signals: Signals; readonly relevanceScore: number }
  | { readonly error: CoverrankError };

export interface PairScorer {
  /** One entry per pair, in order; a pair that cannot be scored carries its error and the rest go on. */
  score(pairs: readonly ScorePair[], signal: AbortSignal): Promise<readonly PairScore[]>;
}
