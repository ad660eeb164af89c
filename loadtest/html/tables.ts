import { cell, table } from '../../src/eval/report/html/table.ts';
import type { ComparedFigure } from '../compare.ts';
import { formatMs, formatNoise, formatNumber, formatQuantity, formatRatio, formatShare } from '../format.ts';
import type { Report, StreamReport, Summary } from '../report.ts';

/** All of `/rank`, each of its kinds, and `/index` where it ran. */
export function streamsTable({ rank, kinds, index }: Report): string {
  const row = (name: string, { requests, throughputPerSecond, latencyMs }: StreamReport): string[] => [
    name,
    formatNumber(requests),
    formatNumber(throughputPerSecond),
    ...percentiles(latencyMs),
  ];
  return table(
    ['requests', 'count', '200 a second', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    [
      row('/rank, all', rank),
      ...Object.entries(kinds).map(([name, kind]) => row(name, kind)),
      ...(index === null ? [] : [row('/index', index)]),
    ],
  );
}

/** Median and p99 of every stage, a column for each kind of request. */
export function stagesTable(kinds: Report['kinds']): string {
  const columns = Object.entries(kinds);
  const stages = [...new Set(columns.flatMap(([, { stagesMs }]) => Object.keys(stagesMs)))];
  const rows = stages.map((stage) => [
    stage,
    ...columns.map(([, { stagesMs }]) => {
      const summary = stagesMs[stage];
      return summary === undefined ? '–' : `${formatNumber(summary.p50)} / ${formatMs(summary.p99)}`;
    }),
  ]);
  return table(['p50 / p99', ...columns.map(([name]) => name)], rows);
}

export function outcomesTable({ rank, index }: Report): string {
  const rows = (counts: Readonly<Record<string, number>>, total: number, name: (key: string) => string): string[][] =>
    Object.entries(counts).map(([key, count]) => [name(key), formatNumber(count), formatShare(count / total)]);
  const answered = { 200: rank.statuses['200'] ?? 0 };
  return table(
    ['outcome', 'count', 'share'],
    [
      ...rows({ ...answered, ...rank.refused }, rank.requests, (status) => `/rank: ${status}`),
      ...rows(rank.failures, rank.requests, (reason) => `/rank without an answer: ${reason}`),
      ...rows(rank.degraded, rank.requests, (loss) => `/rank degraded, ${loss}`),
      ...(index === null
        ? []
        : [
            ...rows(index.statuses, index.requests, (status) => `/index: ${status}`),
            ...rows(index.failures, index.requests, (reason) => `/index without an answer: ${reason}`),
          ]),
    ],
  );
}

export function comparisonTable(figures: readonly ComparedFigure[]): string {
  const rows = figures.map(({ name, unit, earlier, now, ratio, noise, better }) => {
    const cells = [name, formatQuantity(earlier, unit), formatQuantity(now, unit)].map(cell);
    const verdict = `<td class="${verdictOf(ratio, noise, better)}">${formatRatio(ratio)}</td>`;
    return `<tr>${cells.join('')}${verdict}${cell(formatNoise(noise))}</tr>`;
  });
  return (
    '<div class="scroll"><table><thead><tr><th>figure</th><th>earlier</th><th>now</th><th>ratio</th><th>noise</th></tr></thead>' +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

/** Coloured only where the ratio is out of the noise. */
function verdictOf(ratio: number | null, noise: number | null, better: ComparedFigure['better']): string {
  if (ratio === null || noise === null || Math.abs(ratio - 1) <= noise) return '';
  return ratio > 1 === (better === 'higher') ? 'good' : 'bad';
}

function percentiles({ p50, p90, p99, p999, max }: Summary): string[] {
  return [p50, p90, p99, p999, max].map(formatMs);
}
