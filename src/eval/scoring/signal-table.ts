import type { Signals } from '../../core/types.ts';

/** Signals of R pairs as columns. */
export interface SignalTable {
  readonly names: readonly string[];
  /** By name, in that order: [R] each; 0 where a pair lacks the signal. */
  readonly columns: readonly Float64Array[];
}

export function signalTable(rows: readonly Signals[]): SignalTable {
  const names = [...new Set(rows.flatMap((signals) => Object.keys(signals)))];
  return { names, columns: names.map((name) => Float64Array.from(rows, (signals) => signals[name] ?? 0)) };
}

/** Σ weight × signal of each row, [R]; a signal without a weight weighs 0. */
export function weighSignals({ names, columns }: SignalTable, weights: Readonly<Record<string, number>>): Float64Array {
  const scores = new Float64Array(columns[0]?.length ?? 0);
  for (const [position, name] of names.entries()) {
    const weight = Object.hasOwn(weights, name) ? (weights[name] ?? 0) : 0;
    if (weight === 0) continue;
    const column = columns[position] ?? scores;
    for (let row = 0; row < scores.length; row++) scores[row] = (scores[row] ?? 0) + weight * (column[row] ?? 0);
  }
  return scores;
}

/** The columns of these signals alone; names that the table lacks are left out. */
export function selectSignals({ names, columns }: SignalTable, wanted: readonly string[]): SignalTable {
  const chosen = [...names.keys()].filter((position) => wanted.includes(names[position] ?? ''));
  return {
    names: chosen.map((position) => names[position] ?? ''),
    columns: chosen.map((position) => columns[position] ?? new Float64Array()),
  };
}
