import { untilAborted } from '../core/abort.ts';
import type { CoverIndex, CrossEncoder, Neighbor, QueryEncoder } from '../core/ports.ts';
import type { CoverRecord, Degradation, Filter, ModelRef, Signals, TraceContext } from '../core/types.ts';
import { startDeadline } from './deadline.ts';
import { type Candidate, type FusedCandidate, type FusionWeights, fuse, keepsRecallOrder } from './fuse.ts';
import { rerank } from './rerank.ts';

export interface RankRequest {
  /** Trimmed, not empty. */
  readonly query: string;
  readonly topN: number;
  readonly recallK: number;
  readonly rerankK: number;
  /** Share of the covers to rerank that the load leaves room for, 0 to 1; what is left out is told. Default: 1. */
  readonly rerankShare?: number;
  /** Passed on to a server that reranks. */
  readonly trace?: TraceContext | undefined;
  readonly candidates?: readonly string[];
  readonly filter?: Filter;
  /** In the place of the ranker's own; every signal that it names is one that the ranker offers. */
  readonly weights?: FusionWeights;
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
  /** Weights of a request that brings none. */
  readonly weights: FusionWeights;
  /** Names of the signals that a weight can be given to. */
  readonly signals: readonly string[];
  /** Rejects with `unavailable`, `overloaded` or `deadline_exceeded` only when not even recall could be done. */
  rank(request: RankRequest, signal: AbortSignal): Promise<Ranking>;
}

export interface RankerDeps {
  readonly queryEncoder: QueryEncoder;
  readonly index: CoverIndex;
  /** Undefined where the bundle has none: then everything stays in recall order. */
  readonly crossEncoder: CrossEncoder | undefined;
  readonly weights: FusionWeights;
  readonly signals: readonly string[];
}

/** `POST /rank`, from the checked request to the ordered hits. */
export function createRanker({ queryEncoder, index, crossEncoder, weights, signals }: RankerDeps): Ranker {
  async function rank(request: RankRequest, caller: AbortSignal): Promise<Ranking> {
    const deadline = startDeadline(request.deadlineMs, caller);
    try {
      const stage = stopwatch();
      const query = await untilAborted(queryEncoder.encode(request.query, deadline.signal), deadline.signal);
      stage.lap();

      const recalled = await untilAborted(
        index.recall(recallQuery(request, query.embedding), deadline.signal),
        deadline.signal,
      );
      const fusion = request.weights ?? weights;
      const candidates = readCovers(recalled.neighbors, reachTheAnswer(request, fusion));
      const recallMs = stage.lap();

      const rerankable = candidates.slice(0, request.rerankK).filter(({ cover }) => cover.hasTokens);
      const reranked =
        crossEncoder === undefined || rerankable.length === 0
          ? undefined
          : await rerank(
              {
                query: request.query,
                ids: rerankable.map(({ cover }) => cover.id),
                share: request.rerankShare ?? 1,
                trace: request.trace,
                deadline,
                textsAheadMs: queryEncoder.aheadMs,
              },
              crossEncoder,
              index,
            );
      const rerankMs = stage.lap();

      const fused = fuse(
        candidates.map((candidate) => ({ ...candidate, reranked: reranked?.signals.get(candidate.cover.id) })),
        fusion,
      );
      const hits = fused.slice(0, request.topN).map(toHit);
      const fuseMs = stage.lap();

      return {
        queryTruncated: query.truncated,
        model: { recall: queryEncoder.model, rerank: crossEncoder?.model ?? null },
        hits,
        missing: recalled.missing,
        degraded: reranked?.degraded === undefined ? [] : [reranked.degraded],
        timingsMs: {
          queue: query.timings.queueMs,
          tokenize: query.timings.tokenizeMs,
          embed: query.timings.embedMs,
          recall: recallMs,
          rerank: rerankMs,
          fuse: fuseMs,
          total: deadline.elapsedMs(),
        },
      };
    } finally {
      deadline.clear();
    }
  }

  /** The first `count` that the index still holds; one may have been deleted since it was recalled. */
  function readCovers(neighbors: readonly Neighbor[], count: number): Candidate[] {
    const candidates: Candidate[] = [];
    for (const [position, { id, cosine }] of neighbors.entries()) {
      if (candidates.length === count) break;
      const cover = index.get(id);
      if (cover !== undefined) candidates.push({ cover, cosine, recallRank: position + 1, reranked: undefined });
    }
    return candidates;
  }

  return { rank, weights, signals };
}

/** How many of the recalled covers can come to stand among the first `topN`; those behind need not be read. */
function reachTheAnswer({ topN, rerankK }: RankRequest, weights: FusionWeights): number {
  return keepsRecallOrder(weights) ? Math.max(topN, rerankK) : Number.POSITIVE_INFINITY;
}

function recallQuery({ recallK, filter, candidates }: RankRequest, embedding: Float32Array) {
  return {
    embedding,
    k: recallK,
    ...(filter === undefined ? {} : { filter }),
    ...(candidates === undefined ? {} : { candidates }),
  };
}

function toHit({ candidate, signals, contributions, relevanceScore }: FusedCandidate, position: number): Hit {
  return {
    id: candidate.cover.id,
    rank: position + 1,
    relevanceScore,
    stage: candidate.reranked === undefined ? 'recall' : 'rerank',
    recallRank: candidate.recallRank,
    signals,
    contributions,
    cover: candidate.cover,
  };
}

/** Milliseconds since the last lap. */
function stopwatch(): { lap(): number } {
  let last = performance.now();
  return {
    lap() {
      const now = performance.now();
      const elapsed = now - last;
      last = now;
      return elapsed;
    },
  };
}
