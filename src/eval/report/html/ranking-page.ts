import { SORTED_BY } from '../comparison.ts';
import type { RankingReport } from '../ranking-report.ts';
import { queryCards, type Thumbnails, thumbnailStyles } from './covers.ts';
import { escapeHtml } from './escape.ts';
import { formatCount, formatFigure, formatInterval } from './format.ts';
import { renderPage } from './page.ts';
import { calibrationPlot, distributionPlot, intervalPlot } from './plots.ts';
import { comparisonSection, configurationTable, glance, movedQueries, problemList, sliceGains } from './sections.ts';
import { facts, table } from './table.ts';

/** The report of one ranking as a page. */
export function rankingPage(report: RankingReport, thumbnails: Thumbnails): string {
  const { comparison, estimates } = report;
  const moved = comparison === null ? undefined : movedQueries(comparison, thumbnails);
  const against = comparison === null ? '' : ` over ${comparison.a}`;
  return renderPage({
    title: `Ranking evaluation: ${report.system}`,
    subtitle: subtitle(report),
    styles: thumbnailStyles(thumbnails),
    sections: [
      { title: 'At a glance', content: glance(estimates) + glanceNote(report) },
      { title: 'Metrics with their intervals', content: metricPlots(report) },
      { title: `Gain${against}`, content: comparison === null ? '' : comparisonSection(comparison) },
      { title: `Gain${against} by slice`, content: comparison === null ? '' : sliceGains(comparison) },
      { title: `${SORTED_BY} by slice`, content: slices(report) },
      { title: 'Scores by label', content: distributionPlot(report.distribution) },
      { title: 'Calibration', content: calibration(report) },
      { title: `Queries that lost most${against}`, content: moved?.lost ?? '' },
      { title: `Queries that gained most${against}`, content: moved?.gained ?? '' },
      {
        title: 'Queries furthest from their best order',
        content: queryCards(report.worst, ({ after }) => `${SORTED_BY} ${formatFigure(after)}`, thumbnails),
      },
      { title: 'What was evaluated', content: counts(report) },
      { title: 'Rows', content: problemList(report.problems) },
      { title: 'Configuration', content: configurationTable(report.configuration) },
    ],
  });
}

function subtitle({ labels, queryCounts, createdAt }: RankingReport): string {
  const rows = labels.reduce((sum, count) => sum + count, 0);
  return `${formatCount(rows)} pairs of ${formatCount(queryCounts.all)} queries, ${createdAt.replace('T', ' ').slice(0, 16)} UTC`;
}

function glanceNote({ options: { confidence, resamples, seed } }: RankingReport): string {
  return `<p class="note">Below each figure: the ${100 * confidence} % interval of ${formatCount(resamples)} bootstrap resamples over queries, seed ${seed}.</p>`;
}

/** PNR is a ratio of counts and has a scale of its own. */
function metricPlots({ estimates }: RankingReport): string {
  const isShare = ({ name }: { name: string }): boolean => name !== 'pnr';
  return (
    intervalPlot('Metrics', estimates.filter(isShare), 'value') +
    intervalPlot(
      'PNR',
      estimates.filter((estimate) => !isShare(estimate)),
      'PNR',
    )
  );
}

function slices({ slices: all }: RankingReport): string {
  const rows = all.map(({ group, estimate }) => ({ ...estimate, name: group }));
  return (
    intervalPlot('By slice', rows, SORTED_BY) +
    table(
      ['slice', 'queries that count', SORTED_BY, 'interval'],
      all.map(({ dimension, group, estimate }) => [
        `${dimension}: ${group}`,
        formatCount(estimate.queries),
        formatFigure(estimate.value),
        formatInterval(estimate.interval),
      ]),
    )
  );
}

function calibration({ calibration: bins, options: { relevantLabel } }: RankingReport): string {
  const note = `Each point holds the same number of rows; relevant are those of label ${relevantLabel} and above. Whiskers: Wilson's 95 % interval.`;
  return `${calibrationPlot(bins)}<p class="note">${escapeHtml(note)}</p>`;
}

function counts({ labels, covers, pairCounts, queryCounts }: RankingReport): string {
  return facts([
    ['rows by label', labels.map((count, label) => `${label}: ${formatCount(count)}`).join(', ')],
    ['distinct covers', formatCount(covers)],
    [
      'pairs of unlike labels',
      `${formatCount(pairCounts.right)} right, ${formatCount(pairCounts.wrong)} wrong, ${formatCount(pairCounts.tied)} tied`,
    ],
    ['queries of one row', `${formatCount(queryCounts.ofOneRow)} (left out of PNR)`],
    ['queries of one label', `${formatCount(queryCounts.ofOneLabel)} (left out of NDCG)`],
    ['queries without a relevant row', `${formatCount(queryCounts.withoutRelevant)} (left out of MAP)`],
  ]);
}
