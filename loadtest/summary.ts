import Table from 'cli-table3';
import { compareReports, NOISE_NOTE } from './compare.ts';
import { formatMs, formatNoise, formatNumber, formatQuantity, formatRatio } from './format.ts';
import type { Report, StreamReport } from './report.ts';

/** The report in a terminal: the streams, what went wrong, and the ratios to an earlier run. */
export function summarise(report: Report, earlier?: Report): string {
  const { rank, kinds, index, eventLoopDelayMs } = report;
  const streams = plainTable(['requests', 'count', '200 a second', 'p50', 'p90', 'p99', 'p99.9', 'max']);
  const add = (
    name: string,
    { requests, throughputPerSecond, latencyMs: { p50, p90, p99, p999, max } }: StreamReport,
  ) =>
    streams.push([
      name,
      formatNumber(requests),
      formatNumber(throughputPerSecond),
      ...[p50, p90, p99, p999, max].map(formatMs),
    ]);
  add('/rank, all', rank);
  for (const [name, kind] of Object.entries(kinds)) add(name, kind);
  if (index !== null) add('/index', index);

  const lines = [
    streams.toString(),
    `answered: ${formatNumber(rank.statuses['200'] ?? 0)}; refused: ${counts(rank.refused)}; no answer: ${counts(rank.failures)}`,
    `degraded: ${counts(rank.degraded)}`,
    `event-loop delay: ${eventLoopDelayMs === null ? 'not known' : `p99 ${formatMs(eventLoopDelayMs.p99)}, max ${formatMs(eventLoopDelayMs.max)}`}`,
    ...(earlier === undefined ? [] : comparisonLines(earlier, report)),
  ];
  return `${lines.join('\n')}\n`;
}

function comparisonLines(earlier: Report, now: Report): string[] {
  const { figures, warnings } = compareReports(earlier, now);
  const table = plainTable(['compared', 'earlier', 'now', 'ratio', 'noise']);
  for (const { name, unit, earlier: before, now: after, ratio, noise } of figures) {
    const values = [before, after].map((value) => formatQuantity(value, unit));
    table.push([name, ...values, formatRatio(ratio), formatNoise(noise)]);
  }
  return ['', table.toString(), ...warnings.map((warning) => `not the same: ${warning}`), NOISE_NOTE];
}

function plainTable(head: string[]): Table.Table {
  return new Table({
    head,
    colAligns: ['left', ...head.slice(1).map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
}

function counts(record: Readonly<Record<string, number>>): string {
  const entries = Object.entries(record);
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${name} ${count}`).join(', ');
}
