import { basename } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../config-schema.ts';
import { failure } from '../../core/errors.ts';
import { readJudgements } from '../../eval/judgements/judgements.ts';
import { type Predictions, readPredictions } from '../../eval/judgements/predictions.ts';
import { matchingEstimates } from '../../eval/metrics/matching.ts';
import { calibrationBins, scoreDistribution } from '../../eval/report/distribution.ts';
import { figuresReport } from '../../eval/report/figures-report.ts';
import type { Configuration } from '../../eval/report/ranking-report.ts';
import { scoreJudgements } from '../../eval/scoring/score-judgements.ts';
import type { SignalTable } from '../../eval/scoring/signal-table.ts';
import { signalsOf } from '../../ranking/fuse.ts';
import { readInput } from '../input-files.ts';
import { note } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { tellFigures } from './eval-figures.ts';
import { type EvaluationFlags, resamplingOf, share, withEvaluationOptions } from './eval-options.ts';
import { openModels, openPictures, type PictureFlags, progress, withPictureOptions } from './evaluated-models.ts';

interface MatchingFlags extends EvaluationFlags, PictureFlags {
  readonly data?: string;
  readonly scores?: string;
  readonly signal: string;
  readonly threshold: number;
}

interface Scored extends Predictions {
  readonly system: string;
  readonly configuration: Configuration;
}

const BINARY = 1;

/** `coverrank eval matching`: does this text belong to this picture, yes or no. */
export function matchingCommand(): Command {
  const command = withPictureOptions(withEvaluationOptions(new Command('matching')))
    .summary('does a text belong to a picture: AUC, accuracy')
    .description('AUC and accuracy of pairs labelled 0 or 1, for CCMB-style annotations (IQM, ICM).')
    .option(
      '--data <file>',
      'pairs: {"text", "image_path", "label"} a line, or text, picture and label with tabs between',
    )
    .option('--scores <file>', 'evaluate this file alone: label, text, picture and score a line')
    .option('--signal <name>', 'signal that is the score of a pair', 'itm')
    .option('--threshold <share>', 'score above which a pair is said to match', share, 0.5)
    .action(async (flags: MatchingFlags) => {
      if ((flags.scores === undefined) === (flags.images === undefined)) {
        command.error('error: give one of --images and --scores');
      }
      if (flags.scores === undefined && flags.data === undefined) command.error('error: --data names the pairs');
      const scored =
        flags.scores === undefined ? await withBundle(flags, configOf(command).config) : await fromScores(flags.scores);
      const { label: labels, cover } = scored.pairs;
      const report = figuresReport({
        kind: 'matching',
        system: scored.system,
        estimates: matchingEstimates(labels, scored.scores, flags.threshold, flags),
        problems: scored.problems,
        configuration: { ...scored.configuration, threshold: flags.threshold, ...resamplingOf(flags) },
      });
      const matching = labels.reduce((sum, label) => sum + label, 0);
      await tellFigures(report, { pairs: cover.length, matching }, flags, {
        json: isJson(command),
        scored: {
          distribution: scoreDistribution(labels, scored.scores),
          calibration: calibrationBins(labels, scored.scores, BINARY),
        },
      });
    });
  return withSettings(command, ['model', 'rerank_model']);
}

async function fromScores(file: string): Promise<Scored> {
  return {
    ...readPredictions(await readInput(file), file, BINARY),
    system: basename(file),
    configuration: { scores: file },
  };
}

async function withBundle(flags: MatchingFlags, config: Config): Promise<Scored> {
  const file = flags.data ?? '';
  const judged = readJudgements(await readInput(file), file, { maxLabel: BINARY });
  const { pictures, close } = await openPictures(config, flags, judged.addresses);
  const models = await openModels(config, flags);
  try {
    const { pairs, signals, gallery } = await scoreJudgements(
      judged.pairs,
      { unjudged: 0, missing: 'blank' },
      { ...models, pictures, signalsOf, onProgress: progress },
    );
    if (gallery.missing.length > 0) note(`${gallery.missing.length} pictures are missing; blank ones stand in`);
    const { name, hash } = models.rerank.model;
    return {
      pairs,
      scores: columnOf(signals, flags.signal),
      problems: judged.problems,
      system: name,
      configuration: {
        data: file,
        pictures: pictures.name,
        'pictures that are missing': gallery.missing.length,
        bundle: `${name} (${hash})`,
        signal: flags.signal,
      },
    };
  } finally {
    await models.close();
    await close();
  }
}

function columnOf({ names, columns }: SignalTable, name: string): Float64Array {
  const column = columns[names.indexOf(name)];
  if (column !== undefined) return column;
  throw failure('invalid_request', `The bundle offers ${names.join(', ')} and no ${name}; --signal names another.`);
}
