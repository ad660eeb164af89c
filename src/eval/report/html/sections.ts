import { type CountedProblem, describeProblem } from '../../judgements/row-problems.ts';
import type { Interval } from '../../statistics/bootstrap.ts';
import { isSignificant, type PairedDifference } from '../../statistics/paired.ts';
import { type Comparison, comparisonVerdict, SORTED_BY } from '../comparison.ts';
import type { Configuration } from '../ranking-report.ts';
import { changeOf, queryCards, type Thumbnails } from './covers.ts';
import { escapeHtml } from './escape.ts';
import { formatCount, formatFigure, formatGain, formatInterval, formatP } from './format.ts';
import { intervalPlot } from './plots.ts';
import { cell, facts, table } from './table.ts';

/** Figures in large print, with their intervals below. */
export function glance(figures: readonly { name: string; value: number | null; interval: Interval | null }[]): string {
  const entries = figures.map(
    ({ name, value, interval }) =>
      `<div><dt>${escapeHtml(name)}</dt><dd>${formatFigure(value)}<small>${escapeHtml(formatInterval(interval))}</small></dd></div>`,
  );
  return `<dl class="figures">${entries.join('')}</dl>`;
}

export function problemList(problems: readonly CountedProblem[]): string {
  if (problems.length === 0) return '<p class="quiet">Every row could be used.</p>';
  const items = problems.map((problem) => `<li>${escapeHtml(describeProblem(problem))}</li>`);
  return `<ul class="problems">${items.join('')}</ul>`;
}

export function configurationTable(configuration: Configuration): string {
  return facts(Object.entries(configuration).map(([name, value]) => [name, value === null ? '–' : String(value)]));
}

/** Two systems side by side, coloured where the difference is significant. */
export function differencesTable({ a, b, metrics }: Pick<Comparison, 'a' | 'b' | 'metrics'>): string {
  const rows = metrics.map((metric) => {
    const cells = [metric.name, formatFigure(metric.a), formatFigure(metric.b)].map(cell).join('');
    const rest = [formatInterval(metric.interval), formatP(metric.pValue), formatCount(metric.differing)].map(cell);
    return `<tr>${cells}<td class="${verdictClass(metric)}">${formatGain(metric.difference)}</td>${rest.join('')}</tr>`;
  });
  const head = ['', a, b, 'difference', 'interval', 'p', 'queries that differ'];
  return (
    `<div class="scroll"><table><thead><tr>${head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div>`
  );
}

export function comparisonSection(comparison: Comparison): string {
  return `<p class="verdict">${escapeHtml(comparisonVerdict(comparison))}</p>${differencesTable(comparison)}`;
}

export function sliceGains({ slices }: Comparison): string {
  const rows = slices.map(({ group, gain }) => ({ name: group, value: gain.difference, interval: gain.interval }));
  return (
    intervalPlot('Gain by slice', rows, `gain in ${SORTED_BY}`, 0) +
    table(
      ['slice', 'queries', 'gain', 'interval', 'p'],
      slices.map(({ dimension, group, queries, gain }) => [
        `${dimension}: ${group}`,
        formatCount(queries),
        formatGain(gain.difference),
        formatInterval(gain.interval),
        formatP(gain.pValue),
      ]),
    )
  );
}

export function movedQueries(comparison: Comparison, thumbnails: Thumbnails): { lost: string; gained: string } {
  return {
    lost: queryCards(comparison.lost, changeOf(SORTED_BY), thumbnails),
    gained: queryCards(comparison.gained, changeOf(SORTED_BY), thumbnails),
  };
}

function verdictClass(metric: PairedDifference): string {
  if (!isSignificant(metric) || metric.difference === null) return '';
  return metric.difference > 0 ? 'good' : 'bad';
}
