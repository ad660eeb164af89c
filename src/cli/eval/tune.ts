import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { Config } from '../../config-schema.ts';
import { failure } from '../../core/errors.ts';
import { describeProblem } from '../../eval/judgements/row-problems.ts';
import { shownCovers } from '../../eval/report/html/covers.ts';
import { formatFigure, formatGain, formatInterval, formatP } from '../../eval/report/html/format.ts';
import { tunePage } from '../../eval/report/html/tune-page.ts';
import type { Configuration } from '../../eval/report/ranking-report.ts';
import { scoreJudgements } from '../../eval/scoring/score-judgements.ts';
import type { SignalTable } from '../../eval/scoring/signal-table.ts';
import { type Tuned, type TuneOptions, tuneVerdict, tuneWeights } from '../../eval/tune/tune.ts';
import { signalsOf } from '../../ranking/fuse.ts';
import { wholeNumber } from '../arguments.ts';
import { formatTable, note, print, printJson } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { resamplingOf, withResampling } from './eval-options.ts';
import { writeReport } from './eval-output.ts';
import {
  makeThumbnails,
  openModels,
  openPictures,
  type PictureFlags,
  progress,
  withPictureOptions,
} from './evaluated-models.ts';
import { type JudgementFlags, readJudgementFile, withJudgementOptions } from './judgement-options.ts';

interface TuneFlags extends TuneOptions, PictureFlags, JudgementFlags {
  readonly signals?: readonly string[];
  readonly out?: string;
  readonly report?: string;
}

/** `coverrank tune`: fusion weights that judgements ask for, and what they are worth on queries not seen. */
export function tuneCommand(): Command {
  const command = withJudgementOptions(withPictureOptions(withResampling(new Command('tune'))))
    .description('Fit fusion weights to judgements by a pairwise objective, cross-validated over queries.')
    .option('--signals <names...>', 'signals that may weigh; all that the bundles offer by default')
    .option('--folds <n>', 'parts of the cross-validation', wholeNumber(2), 5)
    .option('--penalty <number>', 'how much a weight costs: more keeps weights smaller', penalty, 0.001)
    .option('--calibrate', 'also fit a probability that a cover is relevant to the scores', false)
    .option('--out <file.json>', 'write the configuration block; the file must not exist')
    .option('--report <file.html>', 'write the held-out comparison as a page, and its JSON beside it')
    .action(async (flags: TuneFlags) => {
      if (flags.data === undefined) command.error('error: --data names the judgements');
      if ((flags.images === undefined) === (flags.fetch === undefined)) {
        command.error('error: give one of --images and --fetch');
      }
      const { tuned, written } = await tune(flags, configOf(command).config);
      if (isJson(command)) printJson({ ...tunedJson(tuned), written });
      else show(tuned, written);
    });
  return withSettings(command, ['model', 'rerank_model', 'fusion']);
}

function penalty(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('A number above 0 is needed.');
}

async function tune(flags: TuneFlags, config: Config): Promise<{ readonly tuned: Tuned; readonly written: string[] }> {
  const judgements = await readJudgementFile(flags);
  for (const problem of judgements.problems) note(describeProblem(problem));
  const { pictures, close } = await openPictures(config, flags, judgements.addresses);
  const models = await openModels(config, flags);
  try {
    const { pairs, signals, gallery } = await scoreJudgements(judgements.pairs, flags, {
      ...models,
      pictures,
      signalsOf,
      onProgress: progress,
    });
    if (gallery.missing.length > 0) note(`${gallery.missing.length} covers without a picture (${flags.missing})`);
    const chosen = chooseSignals(signals, flags.signals);
    const present = models.weights;
    const tuned = tuneWeights({ pairs, signals, fitted: chosen, present, presence: gallery.presence }, flags);
    const written = flags.out === undefined ? [] : [await writeBlock(flags.out, tuned)];
    if (flags.report !== undefined) {
      const configuration: Configuration = {
        data: flags.data ?? '',
        pictures: pictures.name,
        'unjudged covers added to each query': flags.unjudged,
        bundle: `${models.recall.model.name} (${models.recall.model.hash})`,
        reranker: `${models.rerank.model.name} (${models.rerank.model.hash})`,
        'signals that may weigh': chosen.join(', '),
        folds: flags.folds,
        penalty: flags.penalty,
        ...resamplingOf(flags),
      };
      const thumbnails = await makeThumbnails(shownCovers(tuned.heldOut.lost, tuned.heldOut.gained), pictures, config);
      const page = tunePage(tuned, pairs, { relevantLabel: flags.relevantLabel, configuration, thumbnails });
      written.push(...(await writeReport(flags.report, page, { ...tuned, configuration })));
    }
    return { tuned, written };
  } finally {
    await models.close();
    await close();
  }
}

function chooseSignals({ names }: SignalTable, wanted: readonly string[] | undefined): readonly string[] {
  const unknown = wanted?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length === 0) return wanted ?? names;
  throw failure('invalid_request', `The bundles offer ${names.join(', ')} and no ${unknown.join(', ')}.`);
}

/** A file that is there may be somebody's configuration: it is left alone. */
async function writeBlock(file: string, { weights }: Tuned): Promise<string> {
  try {
    await writeFile(file, `${JSON.stringify({ fusion: weights }, null, 2)}\n`, { flag: 'wx' });
    return file;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'it exists' : String(code);
    throw failure('invalid_request', `${file} cannot be written: ${reason}.`, { cause });
  }
}

function tunedJson({ weights, present, foldWeights, heldOut, significant, calibration }: Tuned) {
  return {
    fusion: weights,
    present,
    fold_fusion: foldWeights,
    held_out: Object.fromEntries(
      heldOut.metrics.map(({ name, a, b, difference, interval, pValue }) => [
        name,
        {
          present: a,
          tuned: b,
          gain: difference,
          interval: interval === null ? null : [interval.low, interval.high],
          p_value: pValue,
        },
      ]),
    ),
    significant,
    ...(calibration === null
      ? {}
      : {
          calibration: {
            slope: calibration.slope,
            intercept: calibration.intercept,
            held_out_log_loss: calibration.logLoss,
            base_log_loss: calibration.baseLogLoss,
            held_out_calibration_error: calibration.expectedCalibrationError,
          },
        }),
  };
}

function show(tuned: Tuned, written: readonly string[]): void {
  const { weights, present, foldWeights, heldOut, calibration } = tuned;
  const names = [...new Set([...Object.keys(present), ...Object.keys(weights)])];
  print(
    formatTable(
      ['signal', 'present', 'tuned', 'over the folds'],
      names.map((name) => {
        const values = foldWeights.map((fold) => fold[name] ?? 0);
        return [
          name,
          String(present[name] ?? 0),
          String(weights[name] ?? 0),
          `${Math.min(...values)} … ${Math.max(...values)}`,
        ];
      }),
    ),
  );
  print(
    formatTable(
      ['held out', 'present', 'tuned', 'gain', 'interval', 'p'],
      heldOut.metrics.map(({ name, a, b, difference, interval, pValue }) => [
        name,
        formatFigure(a),
        formatFigure(b),
        formatGain(difference),
        formatInterval(interval),
        formatP(pValue),
      ]),
    ),
  );
  print(tuneVerdict(tuned));
  if (calibration !== null) {
    const { slope, intercept, logLoss, baseLogLoss, expectedCalibrationError: error } = calibration;
    print(
      `P(relevant) = 1 / (1 + exp(-(${slope.toPrecision(5)} × score ${intercept < 0 ? '-' : '+'} ${Math.abs(intercept).toPrecision(5)}))); held out: ` +
        `log loss ${formatFigure(logLoss)} (${formatFigure(baseLogLoss)} for the base rate), calibration error ${formatFigure(error)}`,
    );
  }
  for (const file of written) print(`written ${file}`);
}
