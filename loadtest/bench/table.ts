import Table from 'cli-table3';
import { formatNumber, formatRatio, formatShare } from '../format.ts';
import { compareBenches } from './regressions.ts';
import type { BenchReport, FigureDescription, MeasuredFigure } from './report.ts';

/** The goals' table in a terminal, filled in, and beside an earlier run where there is one. */
export function benchTable(report: BenchReport, earlier?: BenchReport): string {
  const { machine, figures, failed, warnings } = report;
  const table = plainTable(['figure', 'goal', 'min', 'median', 'max', '']);
  for (const figure of figures) {
    const { min, median, max } = figure.value;
    const values = [min, median, max].map((value) => formatFigure(value, figure.unit));
    table.push([figure.title, goal(figure), ...values, figure.met ? 'met' : 'missed']);
  }
  const lines = [
    `${machine.cpu}, ${machine.cores} cores (${machine.instructionSets.join(' ')}), Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}`,
    table.toString(),
    ...figures.map(partsLine),
    ...Object.entries(failed).map(([row, reason]) => `${row} could not be measured: ${reason}`),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...(earlier === undefined ? [] : comparisonLines(earlier, report)),
  ];
  return `${lines.join('\n')}\n`;
}

function comparisonLines(earlier: BenchReport, now: BenchReport): string[] {
  const { figures, warnings } = compareBenches(earlier, now);
  const table = plainTable(['compared', 'earlier', 'now', 'ratio', 'verdict']);
  for (const { id, ratio, verdict, ...runs } of figures) {
    const values = [runs.earlier, runs.now].map(({ value, unit }) => formatFigure(value.median, unit));
    table.push([id, ...values, formatRatio(ratio), verdict]);
  }
  return ['', table.toString(), ...warnings.map((warning) => `not the same: ${warning}`)];
}

function partsLine({ id, parts }: MeasuredFigure): string {
  const named = Object.entries(parts).map(([name, { median }]) => `${name} ${formatNumber(median)}`);
  return `${id}: ${named.join(', ')}`;
}

function goal({ better, goal: bound, unit }: FigureDescription): string {
  return `${better === 'lower' ? '<=' : '>='} ${formatFigure(bound, unit)}`;
}

function formatFigure(value: number, unit: FigureDescription['unit']): string {
  if (unit === 'ratio') return formatRatio(value);
  return unit === 'share' ? formatShare(value) : `${formatNumber(value)} ${unit}`;
}

function plainTable(head: string[]): Table.Table {
  return new Table({
    head,
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
}
