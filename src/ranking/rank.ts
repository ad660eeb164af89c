import type { CoverRecord, Degradation, Filter, ModelRef, Signals } from '../core/types.ts';

export interface RankRequest {
  /** Trimmed, not empty. */
  readonly query: string;
  readonly topN: number;
  readonly recallK: number;
  readonly rerankK: number;
  readonly candidates?: readonly string[];
  readonly filter?: Filter;
  readonly deadlineMs: number;
}

export interface Hit {
  readonly id: string;
  /** From 1. */
  readonly rank: number;
  readonly relevanceScore: number;
  readonly stage: 'rerank' | 'recall';
  /** Place in recall order, from 1. */
  readonly recallRank: number;
  readonly signals: Signals;
  readonly contributions: Signals;
  readonly cover: CoverRecord;
}

/** Milliseconds per stage; `queue` is the wait for a batch and for admission. */
export interface RankTimings {
  readonly queue: number;
  readonly tokenize: number;
  readonly embed: number;
  readonly recall: number;
  readonly rerank: number;
  readonly fuse: number;
  readonly total: number;
}

export interface Ranking {
  readonly queryTruncated: boolean;
  readonly model: { readonly recall: ModelRef; readonly rerank: ModelRef | null };
  readonly hits: readonly Hit[];
  readonly missing: readonly string[];
  readonly degraded: readonly Degradation[];
  readonly timingsMs: RankTimings;
}

export interface Ranker {
  /** Rejects with `unavailable`, `overloaded` or `deadline_exceeded` only when not even recall could be done. */
  rank(request: RankRequest, signal: AbortSignal): Promise<Ranking>;
}
