import { isRankFigure } from '../../metrics/retrieval.ts';
import type { CalibrationBin, ScoreDistribution } from '../distribution.ts';
import type { FiguresReport } from '../figures-report.ts';
import { renderPage } from './page.ts';
import { calibrationPlot, distributionPlot, intervalPlot } from './plots.ts';
import { configurationTable, glance, problemList } from './sections.ts';

/** Scores that can be shown beside the figures: of matching pairs, not of retrieval. */
export interface ScoredLabels {
  readonly distribution: ScoreDistribution;
  readonly calibration: readonly CalibrationBin[];
}

/** The report of a retrieval or a matching as a page. */
export function figuresPage(report: FiguresReport, scored?: ScoredLabels): string {
  const { kind, system, estimates } = report;
  // Percentages and their sum, ranks and shares each have a scale of their own.
  const groups = [
    estimates.filter(({ name }) => !isRankFigure(name) && name !== 'sum_r'),
    estimates.filter(({ name }) => isRankFigure(name)),
  ].filter((group) => group.length > 0);
  const plots = groups.map((group) => intervalPlot('Figures', group, axisLabel(kind, group[0]?.name)));
  return renderPage({
    title: `${kind === 'retrieval' ? 'Retrieval' : 'Matching'} evaluation: ${system}`,
    subtitle: `${report.createdAt.replace('T', ' ').slice(0, 16)} UTC`,
    sections: [
      { title: 'At a glance', content: glance(estimates) },
      { title: 'Figures with their intervals', content: plots.join('') },
      { title: 'Scores by label', content: scored === undefined ? '' : distributionPlot(scored.distribution) },
      { title: 'Calibration', content: scored === undefined ? '' : calibrationPlot(scored.calibration) },
      { title: 'Rows', content: problemList(report.problems) },
      { title: 'Configuration', content: configurationTable(report.configuration) },
    ],
  });
}

function axisLabel(kind: FiguresReport['kind'], name = ''): string {
  if (kind === 'matching') return 'share';
  return isRankFigure(name) ? 'rank' : 'percent';
}
