import type { BenchReport } from '../report.ts';

export const GROWTH_FORMAT = 1;

/** What is made larger, one at a time. */
export const GROWTH_AXES = ['covers', 'rerankK', 'queryCharacters', 'connections'] as const;
export type GrowthAxis = (typeof GROWTH_AXES)[number];

export interface GrowthPoint {
  /** On the axis. */
  readonly at: number;
  /** Median over the rounds, by figure with its unit. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface GrowthReport extends Pick<BenchReport, 'startedAt' | 'git' | 'machine' | 'warnings'> {
  readonly format: typeof GROWTH_FORMAT;
  readonly model: string;
  readonly rounds: number;
  /** Covers of the axes other than `covers`. */
  readonly covers: number;
  readonly axes: Readonly<Partial<Record<GrowthAxis, readonly GrowthPoint[]>>>;
}
