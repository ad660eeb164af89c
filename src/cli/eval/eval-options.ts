import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_RESAMPLING, type ResamplingOptions } from '../../eval/statistics/bootstrap.ts';
import { wholeNumber } from '../arguments.ts';

/** A gain is 2^label - 1: labels beyond this are no grades. */
const HIGHEST_LABEL = 30;

/** Options that every evaluation has. */
export interface EvaluationFlags extends ResamplingOptions {
  /** File of the HTML report; its JSON goes beside it. */
  readonly report?: string;
  readonly gate?: string;
}

export function withEvaluationOptions(command: Command): Command {
  return withResampling(command)
    .option('--report <file.html>', 'write the report as a page, and its JSON beside it')
    .option('--gate <baseline.json>', 'fail when a metric fell below that of an earlier report by more than its noise');
}

export function withResampling(command: Command): Command {
  const { resamples, seed, confidence } = DEFAULT_RESAMPLING;
  return command
    .option('--resamples <n>', 'bootstrap resamples behind each interval', wholeNumber(10), resamples)
    .option('--seed <n>', 'seed of everything random', wholeNumber(0), seed)
    .option('--confidence <share>', 'share of the resamples inside an interval', share, confidence);
}

export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && value < 1) return value;
  throw new InvalidArgumentError('A number between 0 and 1 is needed.');
}

export function resamplingOf({ resamples, seed, confidence }: ResamplingOptions): ResamplingOptions {
  return { resamples, seed, confidence };
}

/** Options that say how labels are read. */
export function withLabels(command: Command): Command {
  return command
    .option('--max-label <n>', 'highest label of the scale', labelNumber, 2)
    .option('--relevant-label <n>', 'label from which a cover is relevant to MAP', labelNumber, 2);
}

function labelNumber(text: string): number {
  const label = wholeNumber(1)(text);
  if (label <= HIGHEST_LABEL) return label;
  throw new InvalidArgumentError(`A whole number of at most ${HIGHEST_LABEL} is needed.`);
}
