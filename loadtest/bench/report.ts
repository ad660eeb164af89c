import type { Report as LoadReport, MachineDescription } from '../report.ts';

/** What `npm run bench` leaves behind, from which a later run compares. */
export const BENCH_FORMAT = 1;

/** One figure with what was aimed at. */
export interface FigureDescription {
  readonly id: string;
  /** What is measured against what. */
  readonly title: string;
  /** `ratio` has no unit; times are milliseconds or seconds. */
  readonly unit: 'ratio' | 'ms' | 's' | 'share';
  readonly better: 'lower' | 'higher';
  readonly goal: number;
}

/** One round of a figure: its value, and the figures that it was made of, by name with their unit. */
export interface Sample {
  readonly value: number;
  readonly parts: Readonly<Record<string, number>>;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface MeasuredFigure extends FigureDescription {
  readonly rounds: readonly Sample[];
  readonly value: Spread;
  readonly parts: Readonly<Record<string, Spread>>;
  /** By the median. */
  readonly met: boolean;
}

export interface BenchMachine extends MachineDescription {
  /** Instruction sets that the kernels of the models and of the graph look for. */
  readonly instructionSets: readonly string[];
  readonly onnxruntime: string;
}

export interface BenchReport {
  readonly format: typeof BENCH_FORMAT;
  readonly startedAt: string;
  readonly git: LoadReport['git'];
  readonly machine: BenchMachine;
  readonly settings: BenchSettings;
  readonly figures: readonly MeasuredFigure[];
  /** Rows that could not be measured, with the reason. */
  readonly failed: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/** What has to be the same in two runs that are compared. */
export interface BenchSettings {
  readonly size: string;
  readonly rounds: number;
  readonly quick: boolean;
  readonly covers: number;
  readonly restartCovers: number;
  readonly rerankK: number;
}
