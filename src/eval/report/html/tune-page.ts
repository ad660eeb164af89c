import type { JudgedPairs } from '../../judgements/judged-pairs.ts';
import { type Tuned, tuneVerdict } from '../../tune/tune.ts';
import { calibrationBins } from '../distribution.ts';
import type { Configuration } from '../ranking-report.ts';
import { type Thumbnails, thumbnailStyles } from './covers.ts';
import { escapeHtml } from './escape.ts';
import { formatFigure } from './format.ts';
import { renderPage } from './page.ts';
import { calibrationPlot } from './plots.ts';
import { configurationTable, differencesTable, movedQueries, sliceGains } from './sections.ts';
import { table } from './table.ts';

export interface TunePageOptions {
  readonly relevantLabel: number;
  readonly configuration: Configuration;
  readonly thumbnails: Thumbnails;
}

/** Tuned weights and what they are worth on queries that they were not fitted on. */
export function tunePage(
  tuned: Tuned,
  pairs: JudgedPairs,
  { relevantLabel, configuration, thumbnails }: TunePageOptions,
): string {
  const { lost, gained } = movedQueries(tuned.heldOut, thumbnails);
  return renderPage({
    title: 'Fusion weights from judgements',
    subtitle: 'Gains are held out: every query is scored by weights that were fitted without it.',
    styles: thumbnailStyles(thumbnails),
    sections: [
      {
        title: 'Held-out gain',
        content: `<p class="verdict">${tuneVerdict(tuned)}</p>${differencesTable(tuned.heldOut)}`,
      },
      { title: 'Weights', content: weightsTable(tuned) },
      { title: 'Held-out gain by slice', content: sliceGains(tuned.heldOut) },
      { title: 'Calibration', content: calibration(tuned, pairs, relevantLabel) },
      { title: 'Queries that lost most', content: lost },
      { title: 'Queries that gained most', content: gained },
      { title: 'Configuration', content: configurationTable(configuration) },
    ],
  });
}

function weightsTable({ weights, present, foldWeights }: Tuned): string {
  const names = [...new Set([...Object.keys(present), ...Object.keys(weights)])];
  const block = JSON.stringify({ fusion: weights }, null, 2);
  const figures = table(
    ['signal', 'present', 'tuned', ...foldWeights.map((_, fold) => `fold ${fold + 1}`)],
    names.map((name) => [name, ...[present, weights, ...foldWeights].map((from) => String(from[name] ?? 0))]),
  );
  return `${figures}<pre>${escapeHtml(block)}</pre>`;
}

function calibration({ calibration: fitted }: Tuned, pairs: JudgedPairs, relevantLabel: number): string {
  if (fitted === null) return '';
  const figures = `Held out: log loss ${formatFigure(fitted.logLoss)} (${formatFigure(fitted.baseLogLoss)} for the base rate), calibration error ${formatFigure(fitted.expectedCalibrationError)}.`;
  return `${calibrationPlot(calibrationBins(pairs.label, fitted.probabilities, relevantLabel))}<p class="note">${figures}</p>`;
}
