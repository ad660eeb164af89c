import { failure } from '../../core/errors.ts';
import { filterRows, type JudgedPairs, queryOfRows } from './judged-pairs.ts';
import type { Predictions } from './predictions.ts';
import { type CountedProblem, createRowProblems } from './row-problems.ts';

/** Two predictions of the same pairs, row by row. */
export interface AlignedPredictions {
  readonly pairs: JudgedPairs;
  /** [R] */
  readonly a: Float64Array;
  /** [R] */
  readonly b: Float64Array;
  /** Rows that only one file has. */
  readonly onlyA: readonly CountedProblem[];
  readonly onlyB: readonly CountedProblem[];
}

/**
 * Brings two predictions together by query and cover (the first row of a pair with the first, the second with the
 * second). Fails with `invalid_request` where they judge a pair differently or have none in common.
 */
export function alignPredictions(a: Predictions, b: Predictions): AlignedPredictions {
  const [keysA, keysB] = [pairKeys(a.pairs), pairKeys(b.pairs)];
  const rowsOfB = new Map(keysB.map((key, row) => [key, row]));
  const inA = new Set(keysA);
  const onlyA = createRowProblems();
  const onlyB = createRowProblems();
  keysB.forEach((key, row) => {
    if (!inA.has(key)) onlyB.add('not_in_other_file', b.pairs.line[row] ?? 0);
  });
  const { pairs, rows } = filterRows(a.pairs, (row) => {
    const other = rowsOfB.get(keysA[row] ?? '');
    if (other === undefined) onlyA.add('not_in_other_file', a.pairs.line[row] ?? 0);
    else if (a.pairs.label[row] !== b.pairs.label[other]) {
      const lines = `line ${a.pairs.line[row]} and line ${b.pairs.line[other]}`;
      throw failure('invalid_request', `The two files judge a pair differently (${lines}).`);
    }
    return other !== undefined;
  });
  if (rows.length === 0) throw failure('invalid_request', 'The two files have no pair of query and cover in common.');
  return {
    pairs,
    a: Float64Array.from(rows, (row) => a.scores[row] ?? 0),
    b: Float64Array.from(rows, (row) => b.scores[rowsOfB.get(keysA[row] ?? '') ?? 0] ?? 0),
    onlyA: onlyA.list(),
    onlyB: onlyB.list(),
  };
}

/** [R]: query, cover and which row of this pair it is. */
function pairKeys(pairs: JudgedPairs): string[] {
  const query = queryOfRows(pairs);
  const seen = new Map<string, number>();
  return Array.from(pairs.cover, (cover, row) => {
    const pair = `${pairs.queries[query[row] ?? 0]}\t${pairs.covers[cover]}`;
    const time = seen.get(pair) ?? 0;
    seen.set(pair, time + 1);
    return `${pair}\t${time}`;
  });
}
