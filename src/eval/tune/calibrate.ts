import type { JudgedPairs } from '../judgements/judged-pairs.ts';
import { fitLogistic, sigmoid } from './logistic.ts';

/** P(relevant) = 1 / (1 + e^-(slope × score + intercept)), after Platt 1999. */
export interface Calibration {
  readonly slope: number;
  readonly intercept: number;
}

/** Keeps the slope finite where relevant and other rows never overlap. */
const PENALTY = 1e-6;

/** Fits the chance that a row is relevant to its score, on the rows that are named. */
export function fitCalibration(
  pairs: JudgedPairs,
  scores: Float64Array,
  rows: readonly number[],
  relevantLabel: number,
): Calibration {
  const mean = rows.reduce((sum, row) => sum + (scores[row] ?? 0), 0) / rows.length;
  const spread = Math.sqrt(rows.reduce((sum, row) => sum + ((scores[row] ?? 0) - mean) ** 2, 0) / rows.length) || 1;
  const features = new Float64Array(rows.length * 2);
  rows.forEach((row, position) => {
    features[position * 2] = ((scores[row] ?? 0) - mean) / spread;
    features[position * 2 + 1] = 1;
  });
  const [slope = 0, intercept = 0] = fitLogistic({
    features,
    targets: Uint8Array.from(rows, (row) => ((pairs.label[row] ?? 0) >= relevantLabel ? 1 : 0)),
    weights: new Float64Array(rows.length).fill(1 / rows.length),
    penalties: [PENALTY, PENALTY],
  });
  return { slope: slope / spread, intercept: intercept - (slope * mean) / spread };
}

export function calibrated({ slope, intercept }: Calibration, score: number): number {
  return sigmoid(slope * score + intercept);
}

/** Mean log loss of probabilities, and how far on average they lie from what happened (in ten equal steps). */
export interface CalibrationQuality {
  readonly logLoss: number;
  /** Log loss of saying the share of relevant rows every time. */
  readonly baseLogLoss: number;
  readonly expectedCalibrationError: number;
}

const STEPS = 10;
const LEAST_PROBABILITY = 1e-12;

export function calibrationQuality(
  labels: Uint8Array,
  probabilities: Float64Array,
  relevantLabel: number,
): CalibrationQuality {
  const rows = labels.length;
  const steps = Array.from({ length: STEPS }, () => ({ rows: 0, relevant: 0, probability: 0 }));
  let logLoss = 0;
  let relevantRows = 0;
  for (let row = 0; row < rows; row++) {
    const relevant = (labels[row] ?? 0) >= relevantLabel ? 1 : 0;
    const probability = probabilities[row] ?? 0;
    logLoss += lossOf(relevant, probability);
    relevantRows += relevant;
    const step = steps[Math.min(STEPS - 1, Math.floor(probability * STEPS))];
    if (step === undefined) continue;
    step.rows += 1;
    step.relevant += relevant;
    step.probability += probability;
  }
  const share = relevantRows / rows;
  return {
    logLoss: logLoss / rows,
    baseLogLoss: share * lossOf(1, share) + (1 - share) * lossOf(0, share),
    expectedCalibrationError: steps.reduce((sum, step) => sum + Math.abs(step.relevant - step.probability) / rows, 0),
  };
}

function lossOf(relevant: number, probability: number): number {
  return -Math.log(Math.max(LEAST_PROBABILITY, relevant === 1 ? probability : 1 - probability));
}
