import type { Signals } from '../../core/types.ts';
import { filterRows, type JudgedPairs, queryOfRows } from '../judgements/judged-pairs.ts';
import type { MissingPicture } from './gallery.ts';
import { type SignalTable, signalTable } from './signal-table.ts';

export interface IndexedPair {
  readonly query: string;
  readonly id: string;
}

export type IndexedScore =
  | { readonly signals: Signals; readonly relevanceScore: number }
  | { readonly missing: string };

/** Scores pairs of queries and covers of an index, in order. Rejects when something else than a cover is missing. */
export type ScoreIndexedPairs = (pairs: readonly IndexedPair[]) => Promise<readonly IndexedScore[]>;

export interface ScoredByIndex {
  /** Without the rows whose cover the index lacks. */
  readonly pairs: JudgedPairs;
  readonly signals: SignalTable;
  /** [R]: the score by which the service ranks. */
  readonly scores: Float64Array;
  readonly missing: readonly MissingPicture[];
  /** [C]: how likely each cover is to have text drawn on it. */
  readonly presence: readonly (number | undefined)[];
}

/** Pairs of one call; the service works on them all at once. */
const PAIRS_AT_ONCE = 64;

/**
 * Judged pairs as an index scores them: with the embeddings and the quantised image tokens that it holds, so these are
 * the figures of the service and not of its bundle.
 */
export async function scoreIndexed(
  judged: JudgedPairs,
  scorePairs: ScoreIndexedPairs,
  onProgress?: (done: number, all: number) => void,
): Promise<ScoredByIndex> {
  const query = queryOfRows(judged);
  const scored: IndexedScore[] = [];
  for (let from = 0; from < query.length; from += PAIRS_AT_ONCE) {
    const rows = Array.from(query.subarray(from, from + PAIRS_AT_ONCE).keys(), (row) => from + row);
    scored.push(
      ...(await scorePairs(
        rows.map((row) => ({
          query: judged.queries[query[row] ?? 0] ?? '',
          id: judged.covers[judged.cover[row] ?? 0] ?? '',
        })),
      )),
    );
    onProgress?.(scored.length, query.length);
  }

  const missing = new Map<string, string>();
  const presence: (number | undefined)[] = [];
  const { pairs, rows } = filterRows(judged, (row) => {
    const score = scored[row];
    const cover = judged.cover[row] ?? 0;
    if (score !== undefined && 'signals' in score) presence[cover] = score.signals['ocr_presence'];
    else missing.set(judged.covers[cover] ?? '', score?.missing ?? '');
    return score !== undefined && 'signals' in score;
  });
  const found = Array.from(rows, (row) => scored[row] as Extract<IndexedScore, { signals: Signals }>);
  return {
    pairs,
    signals: signalTable(found.map(({ signals }) => signals)),
    scores: Float64Array.from(found, ({ relevanceScore }) => relevanceScore),
    missing: [...missing].map(([cover, reason]) => ({ cover, reason })),
    presence,
  };
}
