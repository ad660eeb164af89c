import { type Command, Option } from 'commander';
import {
  JUDGEMENT_FORMATS,
  type JudgementFormat,
  type Judgements,
  readJudgements,
  readTopics,
} from '../../eval/judgements/judgements.ts';
import { wholeNumber } from '../arguments.ts';
import { readInput } from '../input-files.ts';
import { withLabels } from './eval-options.ts';

/** How judgements are read, wherever a command takes them. */
export interface JudgementFlags {
  readonly data?: string;
  readonly format?: JudgementFormat;
  readonly topics?: string;
  readonly maxLabel: number;
  readonly relevantLabel: number;
  readonly unjudged: number;
  readonly missing: 'blank' | 'leave-out';
}

export function withJudgementOptions(command: Command): Command {
  return withLabels(command)
    .option('--data <file>', 'judgements: CBVS-20K rows, "query, cover, grade" rows, TREC qrels, or JSON lines')
    .addOption(new Option('--format <format>', 'of the judgements; guessed by default').choices(JUDGEMENT_FORMATS))
    .option('--topics <file>', 'queries of TREC topics, "topic, query" rows')
    .option('--fetch', 'fetch the pictures from the addresses of the judgements')
    .option(
      '--unjudged <n>',
      'add the n nearest covers of the folder that nobody judged, as label 0',
      wholeNumber(0),
      0,
    )
    .addOption(
      new Option('--missing <way>', 'a cover without a picture is scored as a blank one, or left out')
        .choices(['blank', 'leave-out'])
        .default('blank'),
    );
}

export async function readJudgementFile(flags: JudgementFlags): Promise<Judgements> {
  const file = flags.data ?? '';
  return readJudgements(await readInput(file), file, {
    format: flags.format,
    maxLabel: flags.maxLabel,
    topics: flags.topics === undefined ? undefined : readTopics(await readInput(flags.topics), flags.topics),
  });
}
