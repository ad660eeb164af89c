import { type JudgedPairs, rowsOf, rowsOfQueries } from '../judgements/judged-pairs.ts';
import type { SignalTable } from '../scoring/signal-table.ts';
import { fitLogistic } from './logistic.ts';

export type Weights = Readonly<Record<string, number>>;

/** Pairs of rows of one query, the one with the higher label first: what a pairwise objective learns from. */
export interface Preferences {
  readonly pairs: JudgedPairs;
  /** [Q + 1]: query q has the preferences starts[q] … starts[q + 1] - 1. */
  readonly starts: Int32Array;
  /** [P] rows. */
  readonly better: Int32Array;
  /** [P] rows. */
  readonly worse: Int32Array;
  /** [P]: how much NDCG's gains of the two differ; those of a query add up to 1. */
  readonly weights: Float64Array;
}

/** Every pair of rows of one query whose labels differ. */
export function preferencesOf(pairs: JudgedPairs): Preferences {
  const starts = new Int32Array(pairs.queries.length + 1);
  const better: number[] = [];
  const worse: number[] = [];
  const weights: number[] = [];
  for (let query = 0; query < pairs.queries.length; query++) {
    const { from, to } = rowsOf(pairs, query);
    for (let a = from; a < to; a++) {
      for (let b = from; b < to; b++) {
        const gain = 2 ** (pairs.label[a] ?? 0) - 2 ** (pairs.label[b] ?? 0);
        if (gain <= 0) continue;
        better.push(a);
        worse.push(b);
        weights.push(gain);
      }
    }
    shareOut(weights, starts[query] ?? 0);
    starts[query + 1] = better.length;
  }
  return {
    pairs,
    starts,
    better: Int32Array.from(better),
    worse: Int32Array.from(worse),
    weights: Float64Array.from(weights),
  };
}

/**
 * Weights of the signals under which the better cover of a pair outscores the other: the logistic pairwise objective of
 * RankNet (Burges et al. 2005) for a linear score, every query counting the same. `penalty` is on coefficients of
 * signals scaled to a standard deviation of 1, so that no signal is held back for being small. The weights are scaled so
 * that the cosine's is 1, or, where that is not above 0, the largest.
 */
export function fitWeights(
  signals: SignalTable,
  preferences: Preferences,
  queries: readonly number[],
  penalty: number,
): Weights {
  // Of these queries alone: what is held out must not even set the scale.
  const rows = rowsOfQueries(preferences.pairs, queries);
  const deviations = signals.columns.map((column) =>
    standardDeviation(Float64Array.from(rows, (row) => column[row] ?? 0)),
  );
  const varying = [...signals.names.keys()].filter((signal) => (deviations[signal] ?? 0) > 0);
  const chosen = queries.flatMap((query) => range(preferences.starts[query] ?? 0, preferences.starts[query + 1] ?? 0));
  const counted = queries.filter((query) => preferences.starts[query] !== preferences.starts[query + 1]).length;
  if (varying.length === 0 || counted === 0) return {};

  const features = new Float64Array(chosen.length * varying.length);
  chosen.forEach((preference, row) => {
    varying.forEach((signal, position) => {
      const column = signals.columns[signal];
      const [better, worse] = [preferences.better[preference] ?? 0, preferences.worse[preference] ?? 0];
      const difference = (column?.[better] ?? 0) - (column?.[worse] ?? 0);
      features[row * varying.length + position] = difference / (deviations[signal] ?? 1);
    });
  });
  const coefficients = fitLogistic({
    features,
    targets: new Uint8Array(chosen.length).fill(1),
    weights: Float64Array.from(chosen, (preference) => (preferences.weights[preference] ?? 0) / counted),
    penalties: varying.map(() => penalty),
  });
  return scaled(
    Object.fromEntries(
      varying.map((signal, position) => [
        signals.names[signal] ?? '',
        (coefficients[position] ?? 0) / (deviations[signal] ?? 1),
      ]),
    ),
  );
}

/** Only the order of scores counts, so one weight may be chosen freely. */
function scaled(weights: Weights): Weights {
  const cosine = weights['cosine'] ?? 0;
  const unit = cosine > 0 ? cosine : Math.max(...Object.values(weights).map(Math.abs));
  if (unit === 0) return weights;
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, weight / unit]));
}

/** Makes the numbers from `from` on add up to 1. */
function shareOut(values: number[], from: number): void {
  let sum = 0;
  for (let position = from; position < values.length; position++) sum += values[position] ?? 0;
  for (let position = from; position < values.length; position++) values[position] = (values[position] ?? 0) / sum;
}

function standardDeviation(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length || 1);
  // A constant column's variance is not exactly 0 once its mean is rounded.
  return variance > 1e-18 * (1 + mean ** 2) ? Math.sqrt(variance) : 0;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}
