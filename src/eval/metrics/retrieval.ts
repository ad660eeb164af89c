import type { Captions } from '../judgements/captions.ts';
import type { Interval } from '../statistics/bootstrap.ts';
import { percentileInterval, type ResamplingOptions } from '../statistics/bootstrap.ts';
import { createRandomInt, drawWithReplacement } from '../statistics/resample.ts';

/** Ranks of the best ground truth of each query, from 1, in both directions. */
export interface RetrievalRanks {
  /** [I]: images asking for texts. */
  readonly imageToText: Int32Array;
  /** [T]: texts asking for images. */
  readonly textToImage: Int32Array;
}

/** Writes the scores of one query with every item into `row`. */
export type ScoreRow = (query: number, row: Float32Array) => void;

export const RECALL_DEPTHS = [1, 5, 10] as const;

/** Recalls in percent and ranks, by name: `i2t_r@1` … `t2i_r@10`, `r_mean`, `sum_r`, `i2t_medr`, `i2t_meanr`, … */
export type RetrievalFigures = Readonly<Record<string, number>>;

export interface RetrievalEstimate {
  readonly name: string;
  readonly value: number;
  readonly interval: Interval | null;
}

/**
 * Rank of each query's best positive; of equal scores the later item stands first, which is the order of the reversed
 * argsort that R2D2 and others rank by.
 */
function bestRanks(
  queries: number,
  items: number,
  scoreRow: ScoreRow,
  positivesOf: (query: number) => readonly number[],
): Int32Array {
  const row = new Float32Array(items);
  const ranks = new Int32Array(queries);
  for (let query = 0; query < queries; query++) {
    scoreRow(query, row);
    ranks[query] = bestRank(row, positivesOf(query));
  }
  return ranks;
}

/** The same for one row of scores. `positives` must not be empty. */
export function bestRank(scores: Float32Array, positives: readonly number[]): number {
  const isBefore = (a: number, b: number): boolean => {
    const [scoreA, scoreB] = [scores[a] ?? 0, scores[b] ?? 0];
    return scoreA > scoreB || (scoreA === scoreB && a > b);
  };
  const best = positives.reduce((first, item) => (isBefore(item, first) ? item : first));
  let before = 0;
  for (let item = 0; item < scores.length; item++) if (isBefore(item, best)) before += 1;
  return before + 1;
}

/** Both directions over scores [I, T], which are read row by row and column by column. */
export function retrievalRanks(
  { images, texts, imageOf }: Pick<Captions, 'images' | 'texts' | 'imageOf'>,
  rows: { readonly imageToText: ScoreRow; readonly textToImage: ScoreRow },
): RetrievalRanks {
  const textsOf = images.map((): number[] => []);
  imageOf.forEach((image, text) => {
    textsOf[image]?.push(text);
  });
  return {
    imageToText: bestRanks(images.length, texts.length, rows.imageToText, (image) => textsOf[image] ?? []),
    textToImage: bestRanks(texts.length, images.length, rows.textToImage, (text) => [imageOf[text] ?? 0]),
  };
}

/**
 * R@1, R@5 and R@10 both ways in percent, their mean (CCMB's r_mean) and sum, the median rank as NRCCR and CHAN take it
 * (the median of ranks from 0, rounded down, plus 1) and the mean rank.
 */
export function retrievalFigures(ranks: RetrievalRanks): RetrievalFigures {
  return figuresOf(
    { sorted: ranks.imageToText.slice().sort(), counts: ones(ranks.imageToText.length) },
    { sorted: ranks.textToImage.slice().sort(), counts: ones(ranks.textToImage.length) },
  );
}

/** Figures with bootstrap intervals; images and texts are drawn apart. */
export function retrievalEstimates(ranks: RetrievalRanks, options: ResamplingOptions): RetrievalEstimate[] {
  const random = createRandomInt(options.seed);
  const i2t = { sorted: ranks.imageToText.slice().sort(), counts: new Int32Array(ranks.imageToText.length) };
  const t2i = { sorted: ranks.textToImage.slice().sort(), counts: new Int32Array(ranks.textToImage.length) };
  const samples = new Map<string, number[]>();
  for (let resample = 0; resample < options.resamples; resample++) {
    drawWithReplacement(random, i2t.counts);
    drawWithReplacement(random, t2i.counts);
    for (const [name, value] of Object.entries(figuresOf(i2t, t2i))) {
      const values = samples.get(name) ?? [];
      samples.set(name, values);
      values.push(value);
    }
  }
  return Object.entries(retrievalFigures(ranks)).map(([name, value]) => ({
    name,
    value,
    interval: percentileInterval(samples.get(name) ?? [], options.confidence),
  }));
}

/** Mean of each figure over folds. */
export function meanFigures(folds: readonly RetrievalFigures[]): RetrievalFigures {
  const names = Object.keys(folds[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, folds.reduce((sum, fold) => sum + (fold[name] ?? 0), 0) / folds.length]),
  );
}

/** Smaller is better for ranks, larger for recalls. */
export function isRankFigure(name: string): boolean {
  return name.endsWith('medr') || name.endsWith('meanr');
}

/** Ranks in ascending order, each counted as often as `counts` says. */
interface CountedRanks {
  readonly sorted: Int32Array;
  readonly counts: Int32Array;
}

function figuresOf(i2t: CountedRanks, t2i: CountedRanks): RetrievalFigures {
  const recalls = {
    ...Object.fromEntries(RECALL_DEPTHS.map((depth) => [`i2t_r@${depth}`, recallPercent(i2t, depth)])),
    ...Object.fromEntries(RECALL_DEPTHS.map((depth) => [`t2i_r@${depth}`, recallPercent(t2i, depth)])),
  };
  const sum = Object.values(recalls).reduce((total, recall) => total + recall, 0);
  return {
    ...recalls,
    r_mean: sum / (2 * RECALL_DEPTHS.length),
    sum_r: sum,
    i2t_medr: medianRank(i2t),
    i2t_meanr: meanRank(i2t),
    t2i_medr: medianRank(t2i),
    t2i_meanr: meanRank(t2i),
  };
}

function recallPercent({ sorted, counts }: CountedRanks, depth: number): number {
  let found = 0;
  for (let position = 0; position < sorted.length && (sorted[position] ?? 0) <= depth; position++) {
    found += counts[position] ?? 0;
  }
  return (100 * found) / sorted.length;
}

function medianRank(ranks: CountedRanks): number {
  const size = ranks.sorted.length;
  const middle = (rankAt(ranks, (size - 1) >> 1) + rankAt(ranks, size >> 1)) / 2;
  return Math.floor(middle - 1) + 1;
}

/** The rank at a position of the sorted list in which each stands as often as it counts. */
function rankAt({ sorted, counts }: CountedRanks, position: number): number {
  let before = 0;
  for (let index = 0; index < sorted.length; index++) {
    before += counts[index] ?? 0;
    if (before > position) return sorted[index] ?? 0;
  }
  return sorted.at(-1) ?? 0;
}

function meanRank({ sorted, counts }: CountedRanks): number {
  let sum = 0;
  for (let index = 0; index < sorted.length; index++) sum += (sorted[index] ?? 0) * (counts[index] ?? 0);
  return sum / sorted.length;
}

function ones(size: number): Int32Array {
  return new Int32Array(size).fill(1);
}
