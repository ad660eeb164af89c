import { basename } from 'node:path';
import { Command, Option } from 'commander';
import type { Config } from '../config-schema.ts';
import { JUDGEMENT_FORMATS, type JudgementFormat, readJudgements, readTopics } from '../eval/judgements/judgements.ts';
import { formatPredictions, readPredictions } from '../eval/judgements/predictions.ts';
import { describeProblem } from '../eval/judgements/row-problems.ts';
import { galleryRecall } from '../eval/metrics/gallery-recall.ts';
import { comparisonVerdict } from '../eval/report/comparison.ts';
import { shownCovers, type Thumbnails } from '../eval/report/html/covers.ts';
import { rankingPage } from '../eval/report/html/ranking-page.ts';
import { type Configuration, type RankingReport, rankingReport } from '../eval/report/ranking-report.ts';
import { cosineRow } from '../eval/scoring/cosines.ts';
import { scoreJudgements } from '../eval/scoring/score-judgements.ts';
import { weighSignals } from '../eval/scoring/signal-table.ts';
import { signalsOf } from '../ranking/fuse.ts';
import { wholeNumber } from './arguments.ts';
import { type EvaluationFlags, resamplingOf, withEvaluationOptions } from './eval-options.ts';
import {
  applyGate,
  estimatesJson,
  estimatesTable,
  gateJson,
  printGate,
  writeOutput,
  writeReport,
} from './eval-output.ts';
import {
  makeThumbnails,
  openModels,
  openPictures,
  type PictureFlags,
  progress,
  withPictureOptions,
} from './evaluated-models.ts';
import { readInput } from './input-files.ts';
import { note, print, printJson } from './output.ts';
import { configOf, isJson, withSettings } from './settings.ts';

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

interface RankingFlags extends EvaluationFlags, PictureFlags, JudgementFlags {
  readonly scores?: string;
  readonly out?: string;
}

interface Evaluated {
  readonly report: RankingReport;
  readonly predictions: string | undefined;
  readonly thumbnails: Thumbnails;
  readonly elapsedMs: number;
}

/** `coverrank eval cbvs20k`: how well queries' covers are ordered. */
export function rankingCommand(): Command {
  const command = withJudgementOptions(withPictureOptions(withEvaluationOptions(new Command('cbvs20k'))))
    .alias('judgements')
    .summary('the order of judged covers: PNR, NDCG, MAP, recall')
    .description(
      'PNR, NDCG, MAP and recall of judged covers, of CBVS-20K or of your own, from a bundle or from scores.',
    )
    .option('--scores <file>', 'evaluate this file alone: label, query, cover and score a line')
    .option('--out <predictions.tsv>', 'write label, query, cover and score of each pair')
    .action(async (flags: RankingFlags) => {
      const source = [flags.scores, flags.images, flags.fetch].filter((given) => given !== undefined);
      if (source.length !== 1) command.error('error: give one of --scores, --images and --fetch');
      if (flags.scores === undefined && flags.data === undefined) command.error('error: --data names the judgements');
      const { config } = configOf(command);
      const evaluated = flags.scores === undefined ? await fromBundle(flags, config) : await fromScores(flags);
      await tell(evaluated, flags, isJson(command));
    });
  return withSettings(command, ['model', 'rerank_model', 'fusion']);
}

export function withJudgementOptions(command: Command): Command {
  return command
    .option('--data <file>', 'judgements: CBVS-20K rows, "query, cover, grade" rows, TREC qrels, or JSON lines')
    .addOption(new Option('--format <format>', 'of the judgements; guessed by default').choices(JUDGEMENT_FORMATS))
    .option('--topics <file>', 'queries of TREC topics, "topic, query" rows')
    .option('--max-label <n>', 'highest label of the scale', wholeNumber(1), 2)
    .option('--relevant-label <n>', 'label from which a cover is relevant to MAP', wholeNumber(1), 2)
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

export async function readJudgementFile(flags: JudgementFlags) {
  const file = flags.data ?? '';
  return readJudgements(await readInput(file), file, {
    format: flags.format,
    maxLabel: flags.maxLabel,
    topics: flags.topics === undefined ? undefined : readTopics(await readInput(flags.topics), flags.topics),
  });
}

async function fromScores(flags: RankingFlags): Promise<Evaluated> {
  const startedAt = performance.now();
  const file = flags.scores ?? '';
  const { pairs, scores, problems } = readPredictions(await readInput(file), file, flags.maxLabel);
  const report = rankingReport(
    { pairs, system: { name: basename(file), scores }, problems, configuration: { scores: file, ...shared(flags) } },
    { ...resamplingOf(flags), relevantLabel: flags.relevantLabel },
  );
  return { report, predictions: undefined, thumbnails: new Map(), elapsedMs: performance.now() - startedAt };
}

async function fromBundle(flags: RankingFlags, config: Config): Promise<Evaluated> {
  const startedAt = performance.now();
  const judgements = await readJudgementFile(flags);
  const { pictures, close } = await openPictures(config, flags, judgements.addresses);
  const models = await openModels(config, flags);
  try {
    const scored = await scoreJudgements(judgements.pairs, flags, {
      ...models,
      pictures,
      signalsOf,
      onProgress: progress,
    });
    const { pairs, gallery, queries, signals } = scored;
    const scores = weighSignals(signals, models.weights);
    const cosines = weighSignals(signals, { cosine: 1 });
    for (const { cover, reason } of gallery.missing.slice(0, 10)) note(`no picture of ${cover}: ${reason}`);
    if (gallery.missing.length > 0) note(`${gallery.missing.length} covers without a picture (${flags.missing})`);

    const { name, hash } = models.recall.model;
    const report = rankingReport(
      {
        pairs,
        system: { name, scores },
        against:
          Object.keys(models.weights).join() === 'cosine' ? undefined : { name: 'cosine alone', scores: cosines },
        problems: judgements.problems,
        presence: gallery.presence,
        moreMetrics: galleryRecall(pairs, gallery.covers.length, (query, row) =>
          cosineRow(gallery, queries[query] ?? new Float32Array(), row),
        ),
        configuration: {
          data: flags.data ?? '',
          format: judgements.format,
          pictures: pictures.name,
          'covers in the gallery': gallery.covers.length,
          'covers without a picture': `${gallery.missing.length} (${flags.missing})`,
          'unjudged covers added to each query': flags.unjudged,
          bundle: `${name} (${hash})`,
          reranker: `${models.rerank.model.name} (${models.rerank.model.hash})`,
          weights: JSON.stringify(models.weights),
          signals: signals.names.join(', '),
          ...shared(flags),
        },
      },
      { ...resamplingOf(flags), relevantLabel: flags.relevantLabel },
    );
    const elapsedMs = performance.now() - startedAt;
    const covers = shownCovers(report.comparison?.lost ?? [], report.comparison?.gained ?? [], report.worst);
    const thumbnails = flags.report === undefined ? new Map() : await makeThumbnails(covers, pictures, config);
    return { report, predictions: formatPredictions(pairs, scores), thumbnails, elapsedMs };
  } finally {
    await models.close();
    await close();
  }
}

function shared({ maxLabel, relevantLabel, resamples, seed, confidence }: RankingFlags): Configuration {
  return { 'highest label': maxLabel, 'relevant from label': relevantLabel, resamples, seed, confidence };
}

async function tell(evaluated: Evaluated, flags: RankingFlags, json: boolean): Promise<void> {
  const { report, predictions, thumbnails, elapsedMs } = evaluated;
  const written: string[] = [];
  if (flags.out !== undefined && predictions !== undefined) {
    await writeOutput(flags.out, predictions);
    written.push(flags.out);
  }
  if (flags.report !== undefined) {
    written.push(...(await writeReport(flags.report, rankingPage(report, thumbnails), report)));
  }
  const checks = await applyGate(flags, report);
  const { estimates, pairCounts, queryCounts, labels, covers, problems, comparison } = report;
  const rows = labels.reduce((sum, count) => sum + count, 0);
  if (json) {
    printJson({
      ...estimatesJson(estimates),
      rows,
      labels,
      covers,
      pairs: pairCounts,
      queries: {
        all: queryCounts.all,
        of_one_row: queryCounts.ofOneRow,
        of_one_label: queryCounts.ofOneLabel,
        without_relevant: queryCounts.withoutRelevant,
      },
      problems,
      written,
      ...gateJson(checks),
      elapsed_ms: Math.round(elapsedMs),
    });
    return;
  }
  print(estimatesTable(estimates, flags.confidence));
  print(`${rows} rows of ${queryCounts.all} queries and ${covers} covers`);
  print(`pairs of unlike labels: ${pairCounts.right} right, ${pairCounts.wrong} wrong, ${pairCounts.tied} tied`);
  print(
    `queries of one label: ${queryCounts.ofOneLabel} (left out of NDCG); without a relevant cover: ${queryCounts.withoutRelevant} (left out of MAP)`,
  );
  if (comparison !== null) print(`against ${comparison.a}: ${comparisonVerdict(comparison)}`);
  for (const problem of problems) note(describeProblem(problem));
  for (const file of written) print(`written ${file}`);
  printGate(checks);
}
