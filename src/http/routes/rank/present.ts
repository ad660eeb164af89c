import type { Ranking, RankTimings } from '../../../ranking/rank.ts';
import type { RankAnswer, RankBody, Timings } from '../../schemas/rank.ts';

type Include = RankBody['include'][number];

export interface PresentedRanking {
  readonly requestId: string;
  readonly query: string;
  readonly include: readonly string[];
  readonly timings: Timings;
}

/** The ranking as it goes out, with the parts that were asked for. */
export function presentRanking(ranking: Ranking, { requestId, query, include, timings }: PresentedRanking): RankAnswer {
  const wants = (part: Include): boolean => include.includes(part);
  return {
    request_id: requestId,
    query,
    query_truncated: ranking.queryTruncated,
    model: { ...ranking.model },
    results: ranking.hits.map(({ id, rank, relevanceScore, stage, recallRank, signals, contributions, cover }) => ({
      id,
      rank,
      relevance_score: relevanceScore,
      stage,
      recall_rank: recallRank,
      ...(wants('signals') ? { signals: { ...signals }, contributions: { ...contributions } } : {}),
      ...(wants('cover')
        ? {
            cover: {
              image_url: cover.imageUrl ?? null,
              title: cover.title ?? null,
              attributes: cover.attributes,
            },
          }
        : {}),
    })),
    missing: [...ranking.missing],
    degraded: ranking.degraded.map((lost) => ({ ...lost })),
    ...(wants('timings') ? { timings_ms: timings } : {}),
  };
}

/** The ranker's stages with the wait for admission, and the total as the client saw it. */
export function fullTimings(stages: RankTimings, queuedMs: number, totalMs: number): Timings {
  const { queue, tokenize, embed, recall, rerank, fuse } = stages;
  const timings = { queue: queue + queuedMs, tokenize, embed, recall, rerank, fuse, total: totalMs };
  return Object.fromEntries(Object.entries(timings).map(([stage, ms]) => [stage, round(ms)])) as Timings;
}

export function serverTiming(timings: Timings): string {
  return Object.entries(timings)
    .map(([stage, ms]) => `${stage};dur=${ms}`)
    .join(', ');
}

/** Microseconds are the last digit that means anything. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
