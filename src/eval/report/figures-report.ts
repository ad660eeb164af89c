import type { CountedProblem } from '../judgements/row-problems.ts';
import type { Interval } from '../statistics/bootstrap.ts';
import { type Configuration, REPORT_FORMAT } from './ranking-report.ts';

/** A report of figures that come with intervals and no list of queries. */
export interface FiguresReport {
  readonly format: typeof REPORT_FORMAT;
  readonly kind: 'retrieval' | 'matching';
  readonly createdAt: string;
  readonly system: string;
  readonly estimates: readonly {
    readonly name: string;
    readonly value: number | null;
    readonly interval: Interval | null;
  }[];
  readonly problems: readonly CountedProblem[];
  readonly configuration: Configuration;
}

export function figuresReport(report: Omit<FiguresReport, 'format' | 'createdAt'>): FiguresReport {
  return { format: REPORT_FORMAT, createdAt: new Date().toISOString(), ...report };
}
