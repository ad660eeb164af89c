/** What can be wrong with a row of a file of judgements, and what is then done with it. */
const ROW_PROBLEMS = {
  missing_columns: { effect: 'left out', title: 'has too few columns or an empty one' },
  extra_columns: { effect: 'left out', title: 'has too many columns' },
  invalid_json: { effect: 'left out', title: 'is not a JSON object' },
  label_out_of_range: { effect: 'left out', title: 'has a label that is not one of the scale' },
  invalid_score: { effect: 'left out', title: 'has a score that is not a finite number' },
  unknown_topic: { effect: 'left out', title: 'names a topic that the file of topics lacks' },
  not_in_other_file: { effect: 'left out', title: 'has no counterpart in the other file' },
  /** The published figures of CBVS-20K count its repeated rows as often as they stand there. */
  duplicate_pair: { effect: 'kept', title: 'repeats a pair of an earlier row' },
  conflicting_label: { effect: 'kept', title: 'repeats a pair of an earlier row with another label' },
} as const;

export type RowProblem = keyof typeof ROW_PROBLEMS;

export interface CountedProblem {
  readonly problem: RowProblem;
  readonly title: string;
  readonly effect: 'left out' | 'kept';
  readonly count: number;
  /** Lines of the first such rows, from 1. */
  readonly lines: readonly number[];
}

export interface RowProblems {
  add(problem: RowProblem, line: number): void;
  /** In the order in which they first appeared. */
  list(): CountedProblem[];
}

const NAMED_LINES = 20;

/** Counts what is wrong with a file's rows and remembers the first lines of each kind. */
export function createRowProblems(): RowProblems {
  const found = new Map<RowProblem, { count: number; lines: number[] }>();
  return {
    add(problem, line) {
      const entry = found.get(problem) ?? { count: 0, lines: [] };
      found.set(problem, entry);
      entry.count += 1;
      if (entry.lines.length < NAMED_LINES) entry.lines.push(line);
    },
    list: () => [...found].map(([problem, entry]) => ({ problem, ...ROW_PROBLEMS[problem], ...entry })),
  };
}

/** One line for a person: `3 rows left out: has too few columns (lines 4, 9, 12)`. */
export function describeProblem({ title, effect, count, lines }: CountedProblem): string {
  const named = lines.join(', ') + (count > lines.length ? ', …' : '');
  return `${count} ${count === 1 ? 'row' : 'rows'} ${effect}: ${title} (${lines.length === 1 ? 'line' : 'lines'} ${named})`;
}
