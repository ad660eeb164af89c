import type { BenchReport, BenchSettings, MeasuredFigure } from './report.ts';

/** One figure in both runs. */
export interface ComparedFigure {
  readonly id: string;
  readonly earlier: MeasuredFigure;
  readonly now: MeasuredFigure;
  /** Medians, now / earlier. */
  readonly ratio: number;
  /** `not told`: too few rounds to tell chance from change. */
  readonly verdict: 'regression' | 'improvement' | 'within noise' | 'not told';
}

export interface BenchComparison {
  readonly figures: readonly ComparedFigure[];
  /** Why the two may not be comparable. */
  readonly warnings: readonly string[];
}

/** With three rounds on each side, chance alone puts all of one below all of the other in one of twenty. */
const LEAST_ROUNDS = 3;

/**
 * A figure has become worse when every round now is worse than every round then: the spread of both runs is the noise
 * that a change has to rise above.
 */
export function compareBenches(earlier: BenchReport, now: BenchReport): BenchComparison {
  const figures = now.figures.flatMap((figure): ComparedFigure[] => {
    const before = earlier.figures.find(({ id }) => id === figure.id);
    if (before === undefined) return [];
    const ratio = figure.value.median / before.value.median;
    return [{ id: figure.id, earlier: before, now: figure, ratio, verdict: verdictOf(before, figure) }];
  });
  return { figures, warnings: differences(earlier, now) };
}

function verdictOf(earlier: MeasuredFigure, now: MeasuredFigure): ComparedFigure['verdict'] {
  if (Math.min(earlier.rounds.length, now.rounds.length) < LEAST_ROUNDS) return 'not told';
  const higher = now.value.min > earlier.value.max;
  const lower = now.value.max < earlier.value.min;
  if (!higher && !lower) return 'within noise';
  return higher === (now.better === 'higher') ? 'improvement' : 'regression';
}

function differences(earlier: BenchReport, now: BenchReport): string[] {
  const differing = (what: string, read: (report: BenchReport) => unknown): string[] => {
    const [before, after] = [read(earlier), read(now)].map((value) => JSON.stringify(value));
    return before === after ? [] : [`${what}: ${before} then, ${after} now`];
  };
  return [
    ...differing('CPU', ({ machine }) => `${machine.cpu}, ${machine.cores} cores`),
    ...differing('Node', ({ machine }) => machine.node),
    ...differing('ONNX Runtime', ({ machine }) => machine.onnxruntime),
    ...Object.keys(now.settings).flatMap((name) =>
      name === 'rounds' ? [] : differing(name, ({ settings }) => settings[name as keyof BenchSettings]),
    ),
    ...[earlier, now].flatMap(({ startedAt, warnings }) =>
      warnings.map((warning) => `run of ${startedAt}: ${warning}`),
    ),
  ];
}
