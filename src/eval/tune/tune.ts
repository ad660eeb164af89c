import { failure } from '../../core/errors.ts';
import { type JudgedPairs, rowsOfQueries } from '../judgements/judged-pairs.ts';
import { type Comparison, compareSystems, SORTED_BY } from '../report/comparison.ts';
import { sliceQueries } from '../report/slices.ts';
import { type SignalTable, selectSignals, weighSignals } from '../scoring/signal-table.ts';
import type { ResamplingOptions } from '../statistics/bootstrap.ts';
import { isSignificant, type PairedDifference } from '../statistics/paired.ts';
import { createRandomInt, shuffled } from '../statistics/resample.ts';
import {
  type Calibration,
  type CalibrationQuality,
  calibrated,
  calibrationQuality,
  fitCalibration,
} from './calibrate.ts';
import { fitWeights, preferencesOf, type Weights } from './pairwise.ts';

export interface TuneInput {
  readonly pairs: JudgedPairs;
  readonly signals: SignalTable;
  /** Names of the signals that may weigh. */
  readonly fitted: readonly string[];
  /** The weights that are in use now. */
  readonly present: Weights;
  /** [C] */
  readonly presence?: readonly (number | undefined)[] | undefined;
}

export interface TuneOptions extends ResamplingOptions {
  readonly folds: number;
  readonly penalty: number;
  readonly relevantLabel: number;
  /** Also fit a probability to the scores. */
  readonly calibrate: boolean;
}

export interface Tuned {
  /** Fitted on all queries. */
  readonly weights: Weights;
  readonly present: Weights;
  /** Fitted on the other folds' queries, a fold each. */
  readonly foldWeights: readonly Weights[];
  /** Present weights against tuned ones, every query scored by weights that never saw it. */
  readonly heldOut: Comparison;
  /** The gain in `SORTED_BY`, held out. */
  readonly gain: PairedDifference;
  readonly significant: boolean;
  readonly calibration: (Calibration & CalibrationQuality & { readonly probabilities: Float64Array }) | null;
}

const PRESENT = 'present weights';
const TUNED = 'tuned, held out';

/**
 * Fits fusion weights to judgements, and says by cross-validation over queries what they gain on queries that they were
 * not fitted on. Fails with `invalid_request` where there are too few queries to learn from.
 */
export function tuneWeights({ pairs, signals, fitted, present, presence }: TuneInput, options: TuneOptions): Tuned {
  const preferences = preferencesOf(pairs);
  const all = pairs.queries.map((_, query) => query);
  const useful = all.filter((query) => preferences.starts[query] !== preferences.starts[query + 1]);
  if (useful.length < 2 * options.folds) {
    throw failure(
      'invalid_request',
      `${useful.length} queries have covers of unlike labels; ${options.folds} folds need at least ${2 * options.folds}.`,
    );
  }
  const mayWeigh = selectSignals(signals, fitted);
  const folds = dealOut(pairs.queries.length, options);
  const foldWeights: Weights[] = [];
  const scores = new Float64Array(pairs.label.length);
  const probabilities = new Float64Array(pairs.label.length);
  for (const heldOut of folds) {
    const training = all.filter((query) => !heldOut.has(query));
    const weights = fitWeights(mayWeigh, preferences, training, options.penalty);
    foldWeights.push(weights);
    const ofFold = weighSignals(signals, weights);
    const calibration = options.calibrate
      ? fitCalibration(pairs, ofFold, rowsOfQueries(pairs, training), options.relevantLabel)
      : undefined;
    for (const row of rowsOfQueries(pairs, [...heldOut])) {
      scores[row] = ofFold[row] ?? 0;
      if (calibration !== undefined) probabilities[row] = calibrated(calibration, ofFold[row] ?? 0);
    }
  }

  const weights = fitWeights(mayWeigh, preferences, all, options.penalty);
  const heldOut = compareSystems(
    pairs,
    { name: PRESENT, scores: weighSignals(signals, present) },
    { name: TUNED, scores },
    sliceQueries(pairs, presence),
    options,
  );
  const gain = heldOut.metrics.find(({ name }) => name === SORTED_BY);
  if (gain === undefined) throw new Error(`there is no metric ${SORTED_BY}`);
  return {
    weights: rounded(weights),
    present,
    foldWeights: foldWeights.map(rounded),
    heldOut,
    gain,
    significant: isSignificant(gain) && (gain.difference ?? 0) > 0,
    calibration: options.calibrate
      ? {
          ...fitCalibration(
            pairs,
            weighSignals(signals, rounded(weights)),
            rowsOfQueries(pairs, all),
            options.relevantLabel,
          ),
          ...calibrationQuality(pairs.label, probabilities, options.relevantLabel),
          probabilities,
        }
      : null,
  };
}

/** One sentence for a person: what the tuned weights are worth. */
export function tuneVerdict({ gain, significant }: Pick<Tuned, 'gain' | 'significant'>): string {
  if (significant) return `The held-out gain in ${SORTED_BY} is significant.`;
  if (isSignificant(gain))
    return `The tuned weights are significantly worse in ${SORTED_BY} on held-out queries: keep the present ones.`;
  return `The held-out gain in ${SORTED_BY} is not significant: its interval holds 0. Keep the present weights unless there are other reasons.`;
}

/** Queries in `folds` parts of about one size. */
function dealOut(queries: number, { folds, seed }: TuneOptions): Set<number>[] {
  const parts = Array.from({ length: folds }, () => new Set<number>());
  for (const [position, query] of shuffled(queries, createRandomInt(seed)).entries())
    parts[position % folds]?.add(query);
  return parts;
}

/** More digits than four would say more than any set of judgements can. */
function rounded(weights: Weights): Weights {
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, Number(weight.toPrecision(4))]));
}
