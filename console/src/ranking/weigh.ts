import type { Weights } from '../service/types.ts';

export interface WeighedSum {
  /** Weight × signal of each signal that has a weight. */
  readonly contributions: Weights;
  readonly score: number;
}

/** Σ weight × signal with its terms, as the service adds it up. */
export function weigh(signals: Weights, weights: Weights): WeighedSum {
  const terms = Object.entries(signals)
    .filter(([name]) => (weights[name] ?? 0) !== 0)
    .map(([name, value]) => [name, (weights[name] ?? 0) * value] as const);
  return { contributions: Object.fromEntries(terms), score: terms.reduce((sum, [, term]) => sum + term, 0) };
}

/**
 * The weight that a term of a score was made with. Read off the answer, since another service has weights of its own;
 * undefined where there is no term, or where a signal of 0 hides it.
 */
export function weightOf(signal: number, contribution: number | undefined): number | undefined {
  return contribution === undefined || signal === 0 ? undefined : contribution / signal;
}

/** Signals that a cover has without the reranker. */
const TOWER_SIGNALS = ['cosine', 'ocr_presence'];

export function towerSignals(signals: Weights): Weights {
  return Object.fromEntries(Object.entries(signals).filter(([name]) => TOWER_SIGNALS.includes(name)));
}

export function hasRerankSignals(signals: Weights): boolean {
  return Object.keys(signals).some((name) => !TOWER_SIGNALS.includes(name));
}
