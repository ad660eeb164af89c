import { formatTable } from './output.ts';

/** The part of `POST /rank`'s answer that a person reads. */
export interface RankAnswer {
  readonly query: string;
  readonly results: readonly {
    readonly rank: number;
    readonly id: string;
    readonly relevance_score: number;
    readonly stage: string;
    readonly signals?: Readonly<Record<string, number>>;
    readonly cover?: { readonly title: string | null };
  }[];
  readonly degraded: readonly { readonly stage: string; readonly reason: string }[];
  readonly missing: readonly string[];
  readonly timings_ms?: { readonly total: number };
}

/** One row per hit, one column per signal that any hit has. */
export function rankTable({ results }: RankAnswer): string {
  const names = [...new Set(results.flatMap(({ signals }) => Object.keys(signals ?? {})))];
  return formatTable(
    ['rank', 'id', 'score', 'stage', ...names, 'title'],
    results.map(({ rank, id, relevance_score, stage, signals, cover }) => [
      rank,
      id,
      relevance_score.toFixed(4),
      stage,
      ...names.map((name) => signals?.[name]?.toFixed(4) ?? ''),
      cover?.title ?? '',
    ]),
  );
}

/** What a person should know beside the table, a line each. */
export function rankNotes({ results, degraded, missing, timings_ms }: RankAnswer): string[] {
  const took = timings_ms === undefined ? '' : ` in ${timings_ms.total.toFixed(1)} ms`;
  return [
    `${results.length} covers${took}`,
    ...degraded.map(({ stage, reason }) => `degraded: ${stage}, ${reason}`),
    ...(missing.length === 0 ? [] : [`not in the index: ${missing.join(', ')}`]),
  ];
}
