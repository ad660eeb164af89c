import type { Signals } from '../core/types.ts';

/** What a model made of some texts and pictures; the inner arrays of pairs go over the pictures. */
export interface ModelOutputs {
  /** L2-normalised embeddings. */
  readonly texts: readonly Float32Array[];
  readonly images: readonly Float32Array[];
  readonly signals: readonly (readonly Signals[])[];
  /** Relevance scores under the bundle's default weights. */
  readonly scores: readonly (readonly number[])[];
}

export interface PrecisionLoss {
  readonly texts: number;
  readonly images: number;
  readonly textCosine: { readonly mean: number; readonly least: number };
  readonly imageCosine: { readonly mean: number; readonly least: number };
  readonly signals: Readonly<Record<string, SignalLoss>>;
  /** Spearman's rank correlation of a text's scores, its mean over the texts. */
  readonly rankCorrelation: number;
  /** Share of the texts whose best picture is the same. */
  readonly sameFirst: number;
}

export interface SignalLoss {
  /** Absolute differences over all pairs. */
  readonly mean: number;
  readonly largest: number;
  /** Spearman's rank correlation of a text's pictures by this signal alone, its mean over the texts. */
  readonly rankCorrelation: number;
}

/** What `reduced` lost against `exact`, which were given the same texts and pictures. */
export function comparePrecisions(exact: ModelOutputs, reduced: ModelOutputs): PrecisionLoss {
  const correlations = exact.scores.map((scores, text) => rankCorrelation(scores, reduced.scores[text] ?? []));
  const same = exact.scores.filter(
    (scores, text) => indexOfLargest(scores) === indexOfLargest(reduced.scores[text] ?? []),
  );
  return {
    texts: exact.texts.length,
    images: exact.images.length,
    textCosine: cosines(exact.texts, reduced.texts),
    imageCosine: cosines(exact.images, reduced.images),
    signals: signalLosses(exact.signals, reduced.signals),
    rankCorrelation: mean(correlations),
    sameFirst: same.length / exact.scores.length,
  };
}

function cosines(exact: readonly Float32Array[], reduced: readonly Float32Array[]): PrecisionLoss['textCosine'] {
  const values = exact.map((embedding, index) =>
    embedding.reduce((sum, value, at) => sum + value * (reduced[index]?.[at] ?? Number.NaN), 0),
  );
  return { mean: mean(values), least: Math.min(...values) };
}

function signalLosses(exact: ModelOutputs['signals'], reduced: ModelOutputs['signals']): PrecisionLoss['signals'] {
  const names = Object.keys(exact[0]?.[0] ?? {});
  const values = (pairs: readonly Signals[] | undefined, name: string): number[] =>
    (pairs ?? []).map((signals) => signals[name] ?? Number.NaN);
  const entries = names.map((name) => {
    const before = exact.map((pairs) => values(pairs, name));
    const after = exact.map((_, text) => values(reduced[text], name));
    const differences = before.flatMap((ofText, text) =>
      ofText.map((value, image) => Math.abs(value - (after[text]?.[image] ?? Number.NaN))),
    );
    const loss: SignalLoss = {
      mean: mean(differences),
      largest: differences.reduce((most, difference) => Math.max(most, difference), 0),
      rankCorrelation: mean(before.map((ofText, text) => rankCorrelation(ofText, after[text] ?? []))),
    };
    return [name, loss] as const;
  });
  return Object.fromEntries(entries);
}

/** Pearson's correlation of the ranks; equal values share the mean of their ranks. One picture alone correlates fully. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [ranksA, ranksB] = [ranksOf(a), ranksOf(b)];
  const centre = (a.length + 1) / 2;
  const product = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, rank, index) => sum + (rank - centre) * ((y[index] ?? centre) - centre), 0);
  const [varianceA, varianceB] = [product(ranksA, ranksA), product(ranksB, ranksB)];
  if (varianceA === 0 || varianceB === 0) return varianceA === varianceB ? 1 : 0;
  return product(ranksA, ranksB) / Math.sqrt(varianceA * varianceB);
}

function ranksOf(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((x, y) => (values[x] ?? 0) - (values[y] ?? 0));
  const ranks = new Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to] ?? 0] === values[order[from] ?? 0]) to += 1;
    for (const index of order.slice(from, to)) ranks[index] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

function indexOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, index) => (value > (values[best] ?? Number.NEGATIVE_INFINITY) ? index : best), 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
