import type { JudgedPairs } from '../judgements/judged-pairs.ts';
import type { CountedProblem } from '../judgements/row-problems.ts';
import { type QueryMetric, selectQueries } from '../metrics/query-metric.ts';
import { type RankingMetrics, rankingMetrics } from '../metrics/ranking.ts';
import { bootstrapMetrics, type Estimate, type ResamplingOptions } from '../statistics/bootstrap.ts';
import { type Comparison, compareSystems, type System, sortedBy } from './comparison.ts';
import { type CalibrationBin, calibrationBins, type ScoreDistribution, scoreDistribution } from './distribution.ts';
import { coversByLabel, coversByScore, SHOWN_QUERIES, type ShownQuery } from './ranked-queries.ts';
import { type Slice, sliceQueries } from './slices.ts';

export const REPORT_FORMAT = 1;

/** Settings by name, as they were: what a reader needs to do the same again. */
export type Configuration = Readonly<Record<string, string | number | boolean | null>>;

export interface RankingInput {
  readonly pairs: JudgedPairs;
  readonly system: System;
  /** What the system is held against, such as the order by cosine alone. */
  readonly against?: System | undefined;
  readonly problems: readonly CountedProblem[];
  /** [C]: how likely each cover is to have text drawn on it. */
  readonly presence?: readonly (number | undefined)[] | undefined;
  /** Metrics that the judged rows alone do not give, such as recall over the gallery. */
  readonly moreMetrics?: readonly QueryMetric[] | undefined;
  readonly configuration: Configuration;
}

export interface RankingOptions extends ResamplingOptions {
  /** A row is relevant (to MAP and to calibration) from this label on. */
  readonly relevantLabel: number;
}

export interface RankingReport {
  readonly format: typeof REPORT_FORMAT;
  readonly kind: 'ranking';
  readonly createdAt: string;
  readonly system: string;
  readonly estimates: readonly Estimate[];
  readonly pairCounts: RankingMetrics['pairs'];
  readonly queryCounts: RankingMetrics['queries'];
  /** Rows by label. */
  readonly labels: readonly number[];
  readonly covers: number;
  readonly problems: readonly CountedProblem[];
  readonly slices: readonly SliceEstimate[];
  readonly distribution: ScoreDistribution;
  readonly calibration: readonly CalibrationBin[];
  readonly comparison: Comparison | null;
  /** The queries that lost most against the best order of their covers. */
  readonly worst: readonly ShownQuery[];
  /** Every query with its share of every metric, for a later comparison query by query. */
  readonly perQuery: { readonly queries: readonly string[]; readonly metrics: readonly QueryMetric[] };
  readonly options: RankingOptions;
  readonly configuration: Configuration;
}

export interface SliceEstimate extends Omit<Slice, 'queries'> {
  readonly estimate: Estimate;
}

/** Everything that a report of a ranking tells, from the judged pairs and their scores. */
export function rankingReport(input: RankingInput, options: RankingOptions): RankingReport {
  const { pairs, system } = input;
  const evaluated = rankingMetrics(pairs, system.scores, options.relevantLabel);
  const metrics = [...evaluated.metrics, ...(input.moreMetrics ?? [])];
  const slices = sliceQueries(pairs, input.presence);
  const sorted = sortedBy(metrics);
  return {
    format: REPORT_FORMAT,
    kind: 'ranking',
    createdAt: new Date().toISOString(),
    system: system.name,
    estimates: bootstrapMetrics(metrics, options),
    pairCounts: evaluated.pairs,
    queryCounts: evaluated.queries,
    labels: countLabels(pairs.label),
    covers: pairs.covers.length,
    problems: input.problems,
    slices: slices.flatMap(({ queries, ...slice }) => {
      const [estimate] = bootstrapMetrics([selectQueries(sorted, queries)], options);
      return estimate === undefined ? [] : [{ ...slice, estimate }];
    }),
    distribution: scoreDistribution(pairs.label, system.scores),
    calibration: calibrationBins(pairs.label, system.scores, options.relevantLabel),
    comparison: input.against === undefined ? null : compareSystems(pairs, input.against, system, slices, options),
    worst: worstQueries(pairs, system, sorted),
    perQuery: { queries: pairs.queries, metrics },
    options,
    configuration: input.configuration,
  };
}

function worstQueries(pairs: JudgedPairs, { scores }: System, sorted: QueryMetric): ShownQuery[] {
  return pairs.queries
    .flatMap((query, number) => (sorted.denominator[number] === 0 ? [] : [{ query, number }]))
    .sort((a, b) => (sorted.numerator[a.number] ?? 0) - (sorted.numerator[b.number] ?? 0) || a.number - b.number)
    .slice(0, SHOWN_QUERIES)
    .map(({ query, number }) => {
      const after = sorted.numerator[number] ?? 0;
      return {
        query,
        before: 1,
        after,
        change: after - 1,
        orders: [
          { name: 'as ranked', covers: coversByScore(pairs, scores, number) },
          { name: 'best order', covers: coversByLabel(pairs, scores, number) },
        ],
      };
    });
}

function countLabels(labels: Uint8Array): number[] {
  const counts: number[] = [];
  for (const label of labels) {
    while (counts.length <= label) counts.push(0);
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}
