import { failure } from '../../core/errors.ts';
import { createPairsBuilder, type JudgedPairs, queryOfRows } from './judged-pairs.ts';
import { type CountedProblem, createRowProblems } from './row-problems.ts';
import { textLines } from './text-lines.ts';

/** Judged pairs with the score that some system gave each of them. */
export interface Predictions {
  readonly pairs: JudgedPairs;
  /** [R], finite. */
  readonly scores: Float64Array;
  readonly problems: readonly CountedProblem[];
}

/** Labels are 0 … this. */
const MAX_LABEL = 2;

/**
 * Reads predictions as CBVS-UniCLIP writes them: label, query, cover and score, a tab between each, a pair a line. Rows
 * that cannot be used are counted; fails with `invalid_request` when none can.
 */
export function readPredictions(bytes: Uint8Array, name: string, maxLabel: number = MAX_LABEL): Predictions {
  const problems = createRowProblems();
  const builder = createPairsBuilder(problems);
  const added: number[] = [];
  for (const { number, text } of textLines(bytes, name)) {
    const columns = text.split('\t');
    const [label = '', query = '', cover = '', score = ''] = columns;
    if (columns.length < 4 || columns.slice(0, 4).some((column) => column.trim() === '')) {
      problems.add('missing_columns', number);
    } else if (columns.length > 4) problems.add('extra_columns', number);
    else if (!isLabel(label, maxLabel)) problems.add('label_out_of_range', number);
    else if (!Number.isFinite(Number(score))) problems.add('invalid_score', number);
    else {
      builder.add(query, cover, Number(label), number);
      added.push(Number(score));
    }
  }
  if (added.length === 0) {
    throw failure('invalid_request', `${name} holds no usable row of label, query, cover and score.`);
  }
  const { pairs, order } = builder.finish();
  return { pairs, scores: Float64Array.from(order, (position) => added[position] ?? 0), problems: problems.list() };
}

/** The same file, from pairs and their scores, in the order of the file that the pairs came from; unjudged ones last. */
export function formatPredictions(pairs: JudgedPairs, scores: Float64Array): string {
  const query = queryOfRows(pairs);
  const place = (row: number): number => pairs.line[row] || Number.MAX_SAFE_INTEGER;
  return Array.from(pairs.label.keys())
    .sort((a, b) => place(a) - place(b) || a - b)
    .map((row) => {
      const cover = pairs.covers[pairs.cover[row] ?? 0];
      return `${pairs.label[row]}\t${pairs.queries[query[row] ?? 0]}\t${cover}\t${scores[row]}\n`;
    })
    .join('');
}

/** A whole number from 0 to `maxLabel`. */
export function isLabel(text: string, maxLabel: number): boolean {
  return /^\s*\d+\s*$/.test(text) && Number(text) <= maxLabel;
}
