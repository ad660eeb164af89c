import { type JudgedPairs, rowsOf } from '../judgements/judged-pairs.ts';
import { meanMetric, type QueryMetric } from './query-metric.ts';
import { bestRank, RECALL_DEPTHS, type ScoreRow } from './retrieval.ts';

/**
 * Recall over the whole gallery of distinct covers, for which no code was published; so each variant says in its name
 * what counts as found: `any2` one cover of label 2, `any1` one of label 1 or 2, among the first k. `mr` is the mean of
 * R@1, R@5 and R@10. Queries without such a cover are left out. `scoreRow` gives a query's scores with all covers.
 */
export function galleryRecall(pairs: JudgedPairs, covers: number, scoreRow: ScoreRow): QueryMetric[] {
  const row = new Float32Array(covers);
  const ranks = { any2: [] as (number | undefined)[], any1: [] as (number | undefined)[] };
  for (let query = 0; query < pairs.queries.length; query++) {
    scoreRow(query, row);
    ranks.any2.push(rankOfLabel(pairs, query, 2, row));
    ranks.any1.push(rankOfLabel(pairs, query, 1, row));
  }
  return (['any2', 'any1'] as const).flatMap((variant) => {
    const found = RECALL_DEPTHS.map((depth) => ranks[variant].map((rank) => rank && (rank <= depth ? 1 : 0)));
    const means = ranks[variant].map(
      (rank, query) => rank && found.reduce((sum, hits) => sum + (hits[query] ?? 0), 0) / RECALL_DEPTHS.length,
    );
    return [
      ...RECALL_DEPTHS.map((depth, position) => meanMetric(`r@${depth}.${variant}`, found[position] ?? [])),
      meanMetric(`mr.${variant}`, means),
    ];
  });
}

function rankOfLabel(pairs: JudgedPairs, query: number, label: number, scores: Float32Array): number | undefined {
  const { from, to } = rowsOf(pairs, query);
  const positives = new Set<number>();
  for (let row = from; row < to; row++) {
    if ((pairs.label[row] ?? 0) >= label) positives.add(pairs.cover[row] ?? 0);
  }
  return positives.size === 0 ? undefined : bestRank(scores, [...positives]);
}
