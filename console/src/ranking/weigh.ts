import type { Weights } from '../service/types.ts';

/** Σ weight × signal, as the service adds it up. */
export function weigh(signals: Weights, weights: Weights): number {
  return Object.entries(signals).reduce((sum, [name, value]) => sum + (weights[name] ?? 0) * value, 0);
}

/** Signals that a cover has without the reranker. */
const TOWER_SIGNALS = ['cosine', 'ocr_presence'];

export function towerSignals(signals: Weights): Weights {
  return Object.fromEntries(Object.entries(signals).filter(([name]) => TOWER_SIGNALS.includes(name)));
}
