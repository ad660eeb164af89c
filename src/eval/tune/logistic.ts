import { Matrix, solve } from 'ml-matrix';

/** Weighted observations of a logistic model with K coefficients. */
export interface LogisticData {
  /** [N * K] */
  readonly features: Float64Array;
  /** [N]: 0 or 1. */
  readonly targets: Uint8Array;
  /** [N] */
  readonly weights: Float64Array;
  /** [K]: half of this times its square is the cost of a coefficient. */
  readonly penalties: readonly number[];
}

const MAX_STEPS = 50;
const GRADIENT_TOLERANCE = 1e-10;
const MAX_HALVINGS = 30;

/**
 * Coefficients that minimise Σ weight × log loss + Σ penalty / 2 × coefficient², by Newton's method with a step that is
 * halved until the cost falls. The cost is convex, and with a handful of coefficients a dozen steps reach its floor.
 */
export function fitLogistic(data: LogisticData): Float64Array {
  let coefficients = new Float64Array(data.penalties.length);
  let current = costOf(data, coefficients);
  for (let step = 0; step < MAX_STEPS; step++) {
    const { gradient, hessian } = derivatives(data, coefficients);
    if (gradient.every((slope) => Math.abs(slope) < GRADIENT_TOLERANCE)) break;
    const direction = solve(hessian, Matrix.columnVector(gradient)).to1DArray();
    const next = shorterStep(data, coefficients, direction, current);
    if (next === undefined) break;
    ({ coefficients, cost: current } = next);
  }
  return coefficients;
}

/** 1 / (1 + e^-x) */
export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function shorterStep(data: LogisticData, from: Float64Array, direction: readonly number[], cost: number) {
  for (let halving = 0, size = 1; halving < MAX_HALVINGS; halving++, size /= 2) {
    const coefficients = from.map((value, position) => value - size * (direction[position] ?? 0));
    const reached = costOf(data, coefficients);
    if (reached < cost) return { coefficients, cost: reached };
  }
  return undefined;
}

function costOf({ features, targets, weights, penalties }: LogisticData, coefficients: Float64Array): number {
  let cost = penalties.reduce((sum, penalty, position) => sum + (penalty / 2) * (coefficients[position] ?? 0) ** 2, 0);
  for (let row = 0; row < targets.length; row++) {
    const margin = dotAt(features, row, coefficients) * (targets[row] === 1 ? 1 : -1);
    // log(1 + e^-margin) without overflow.
    cost += (weights[row] ?? 0) * (Math.max(0, -margin) + Math.log1p(Math.exp(-Math.abs(margin))));
  }
  return cost;
}

function derivatives({ features, targets, weights, penalties }: LogisticData, coefficients: Float64Array) {
  const size = penalties.length;
  const gradient = penalties.map((penalty, position) => penalty * (coefficients[position] ?? 0));
  const hessian = Matrix.diag([...penalties]);
  for (let row = 0; row < targets.length; row++) {
    const probability = sigmoid(dotAt(features, row, coefficients));
    const weight = weights[row] ?? 0;
    const error = weight * (probability - (targets[row] ?? 0));
    const curvature = weight * probability * (1 - probability);
    for (let i = 0; i < size; i++) {
      const x = features[row * size + i] ?? 0;
      gradient[i] = (gradient[i] ?? 0) + error * x;
      for (let j = 0; j <= i; j++) {
        const product = curvature * x * (features[row * size + j] ?? 0);
        hessian.set(i, j, hessian.get(i, j) + product);
        if (i !== j) hessian.set(j, i, hessian.get(j, i) + product);
      }
    }
  }
  return { gradient, hessian };
}

function dotAt(features: Float64Array, row: number, coefficients: Float64Array): number {
  let sum = 0;
  for (let position = 0, at = row * coefficients.length; position < coefficients.length; position++, at++) {
    sum += (features[at] ?? 0) * (coefficients[position] ?? 0);
  }
  return sum;
}
