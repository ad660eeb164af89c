import { basename } from 'node:path';
import { Command } from 'commander';
import { alignPredictions } from '../../eval/judgements/align.ts';
import { readPredictions } from '../../eval/judgements/predictions.ts';
import { describeProblem } from '../../eval/judgements/row-problems.ts';
import { openPictureFolder } from '../../eval/pictures/folder.ts';
import { type Comparison, compareSystems, comparisonVerdict } from '../../eval/report/comparison.ts';
import { comparisonPage } from '../../eval/report/html/comparison-page.ts';
import { shownCovers } from '../../eval/report/html/covers.ts';
import { formatFigure, formatGain, formatInterval, formatP } from '../../eval/report/html/format.ts';
import { sliceQueries } from '../../eval/report/slices.ts';
import { readInput } from '../input-files.ts';
import { formatTable, note, print, printJson } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { type EvaluationFlags, resamplingOf, withLabels, withResampling } from './eval-options.ts';
import { writeReport } from './eval-output.ts';
import { makeThumbnails } from './evaluated-models.ts';

interface CompareFlags extends Omit<EvaluationFlags, 'gate'> {
  readonly maxLabel: number;
  readonly relevantLabel: number;
  readonly images?: string;
}

const PRINTED_QUERIES = 5;

/** `coverrank compare A B`: what the second of two systems gains over the first. */
export function compareCommand(): Command {
  const command = withLabels(withResampling(new Command('compare')))
    .description('Compare two files of predictions query by query: paired bootstrap and randomisation test.')
    .argument('<a>', 'predictions: label, query, cover and score a line')
    .argument('<b>', 'the same pairs with the scores of another system')
    .option('--images <folder>', 'pictures of the covers, for the report')
    .option('--report <file.html>', 'write the comparison as a page, and its JSON beside it')
    .action(async (a: string, b: string, flags: CompareFlags) => {
      const [first, second] = [await readInput(a), await readInput(b)];
      const aligned = alignPredictions(
        readPredictions(first, a, flags.maxLabel),
        readPredictions(second, b, flags.maxLabel),
      );
      const [nameA, nameB] = basename(a) === basename(b) ? [a, b] : [basename(a), basename(b)];
      const comparison = compareSystems(
        aligned.pairs,
        { name: nameA, scores: aligned.a },
        { name: nameB, scores: aligned.b },
        sliceQueries(aligned.pairs),
        { ...resamplingOf(flags), relevantLabel: flags.relevantLabel },
      );
      for (const problem of aligned.onlyA) note(`${a}: ${describeProblem(problem)}`);
      for (const problem of aligned.onlyB) note(`${b}: ${describeProblem(problem)}`);
      const written = await writePage(command, comparison, { a, b }, flags);
      if (isJson(command)) printJson({ ...comparisonJson(comparison), rows: aligned.pairs.label.length, written });
      else printComparison(comparison, written);
    });
  return withSettings(command);
}

async function writePage(
  command: Command,
  comparison: Comparison,
  files: { readonly a: string; readonly b: string },
  flags: CompareFlags,
): Promise<string[]> {
  if (flags.report === undefined) return [];
  const shown = shownCovers(comparison.lost, comparison.gained);
  const thumbnails =
    flags.images === undefined
      ? new Map()
      : await makeThumbnails(shown, await openPictureFolder(flags.images), configOf(command).config);
  const configuration = { ...files, ...resamplingOf(flags), 'relevant from label': flags.relevantLabel };
  const page = comparisonPage(comparison, configuration, thumbnails);
  return writeReport(flags.report, page, { ...comparison, configuration });
}

function comparisonJson({ a, b, metrics, lost, gained }: Comparison): Record<string, unknown> {
  const moved = ({ query, before, after }: Comparison['lost'][number]) => ({ query, before, after });
  return {
    a,
    b,
    metrics: Object.fromEntries(
      metrics.map(({ name, interval, pValue, ...metric }) => [
        name,
        { ...metric, interval: interval === null ? null : [interval.low, interval.high], p_value: pValue },
      ]),
    ),
    lost: lost.map(moved),
    gained: gained.map(moved),
  };
}

function printComparison(comparison: Comparison, written: readonly string[]): void {
  const { a, b, metrics, lost, gained } = comparison;
  print(
    formatTable(
      ['metric', a, b, 'difference', 'interval', 'p', 'queries that differ'],
      metrics.map((metric) => [
        metric.name,
        formatFigure(metric.a),
        formatFigure(metric.b),
        formatGain(metric.difference),
        formatInterval(metric.interval),
        formatP(metric.pValue),
        metric.differing,
      ]),
    ),
  );
  print(comparisonVerdict(comparison));
  const line = ({ query, before, after }: Comparison['lost'][number]) =>
    `  ${query}: ${formatFigure(before)} → ${formatFigure(after)}`;
  if (lost.length > 0) print(['lost most:', ...lost.slice(0, PRINTED_QUERIES).map(line)].join('\n'));
  if (gained.length > 0) print(['gained most:', ...gained.slice(0, PRINTED_QUERIES).map(line)].join('\n'));
  for (const file of written) print(`written ${file}`);
}
