import { basename } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../config-schema.ts';
import { failure } from '../../core/errors.ts';
import { formatPredictions, readPredictions } from '../../eval/judgements/predictions.ts';
import { describeProblem } from '../../eval/judgements/row-problems.ts';
import { galleryRecall } from '../../eval/metrics/gallery-recall.ts';
import { comparisonVerdict, type System } from '../../eval/report/comparison.ts';
import { shownCovers, type Thumbnails } from '../../eval/report/html/covers.ts';
import { rankingPage } from '../../eval/report/html/ranking-page.ts';
import { type Configuration, type RankingReport, rankingReport } from '../../eval/report/ranking-report.ts';
import type { MissingPicture } from '../../eval/scoring/gallery.ts';
import { scoreIndexed } from '../../eval/scoring/score-indexed.ts';
import { galleryCosines, scoreJudgements } from '../../eval/scoring/score-judgements.ts';
import { type SignalTable, weighSignals } from '../../eval/scoring/signal-table.ts';
import { signalsOf } from '../../ranking/fuse.ts';
import { readInput } from '../input-files.ts';
import { note, print, printJson } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { withService } from '../with-service.ts';
import { type EvaluationFlags, resamplingOf, withEvaluationOptions } from './eval-options.ts';
import {
  applyGate,
  estimatesJson,
  estimatesTable,
  gateJson,
  printGate,
  readGate,
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
import { type JudgementFlags, readJudgementFile, withJudgementOptions } from './judgement-options.ts';
import { createServiceScorer } from './score-by-service.ts';

interface RankingFlags extends EvaluationFlags, PictureFlags, JudgementFlags {
  readonly scores?: string;
  readonly out?: string;
  readonly indexed?: true;
  readonly url?: string;
}

const NAMED_COVERS = 10;

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
    .option('--indexed', 'score the covers of the index as the service does')
    .option('--url <service>', 'with --indexed: a running service; the configured data folder by default')
    .option('--out <predictions.tsv>', 'write label, query, cover and score of each pair')
    .action(async (flags: RankingFlags) => {
      const source = [flags.scores, flags.images, flags.fetch, flags.indexed].filter((given) => given !== undefined);
      if (source.length !== 1) command.error('error: give one of --scores, --images, --fetch and --indexed');
      if (flags.indexed && flags.unjudged > 0) command.error('error: --unjudged needs a folder of pictures');
      if (flags.scores === undefined && flags.data === undefined) command.error('error: --data names the judgements');
      const { config } = configOf(command);
      await tell(await evaluate(flags, config), flags, isJson(command));
    });
  return withSettings(command, ['model', 'rerank_model', 'fusion']);
}

function evaluate(flags: RankingFlags, config: Config): Promise<Evaluated> {
  if (flags.scores !== undefined) return fromScores(flags);
  return flags.indexed ? fromIndex(flags, config) : fromBundle(flags, config);
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
    noteMissing(gallery.missing, flags.missing);

    const { name, hash } = models.recall.model;
    const report = rankingReport(
      {
        pairs,
        system: { name, scores },
        against: againstCosine(signals, scores),
        problems: judgements.problems,
        presence: gallery.presence,
        moreMetrics: galleryRecall(pairs, gallery.covers.length, (query, row) =>
          galleryCosines(gallery, queries[query] ?? new Float32Array(), flags.missing, row),
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

/** The covers of an index with the scores that its service gives them; recall over the gallery is not measured. */
async function fromIndex(flags: RankingFlags, config: Config): Promise<Evaluated> {
  const startedAt = performance.now();
  const judgements = await readJudgementFile(flags);
  const { pairs, signals, scores, missing, presence, model } = await withService(flags.url, config, async (client) => ({
    ...(await scoreIndexed(judgements.pairs, createServiceScorer(client), (done, all) => progress('pairs', done, all))),
    model: ((await client.call('GET', '/index')) as { bundle: { name: string; hash: string } }).bundle,
  }));
  if (scores.length === 0) throw failure('invalid_request', 'The index holds none of the judged covers.');
  noteMissing(missing, 'leave-out');
  const report = rankingReport(
    {
      pairs,
      system: { name: model.name, scores },
      against: againstCosine(signals, scores),
      problems: judgements.problems,
      presence,
      configuration: {
        data: flags.data ?? '',
        format: judgements.format,
        covers: flags.url === undefined ? `index ${config.data_dir}` : `service ${flags.url}`,
        'covers that the index lacks': `${missing.length} (leave-out)`,
        bundle: `${model.name} (${model.hash})`,
        signals: signals.names.join(', '),
        ...shared(flags),
      },
    },
    { ...resamplingOf(flags), relevantLabel: flags.relevantLabel },
  );
  const elapsedMs = performance.now() - startedAt;
  return { report, predictions: formatPredictions(pairs, scores), thumbnails: new Map(), elapsedMs };
}

/** The order by cosine, where that is not the order that is evaluated anyway. */
function againstCosine(signals: SignalTable, scores: Float64Array): System | undefined {
  const cosines = weighSignals(signals, { cosine: 1 });
  return cosines.every((cosine, row) => cosine === scores[row]) ? undefined : { name: 'cosine alone', scores: cosines };
}

function noteMissing(missing: readonly MissingPicture[], way: string): void {
  for (const { cover, reason } of missing.slice(0, NAMED_COVERS)) note(`no picture of ${cover}: ${reason}`);
  if (missing.length > 0) note(`${missing.length} covers without a picture (${way})`);
}

function shared({ maxLabel, relevantLabel, resamples, seed, confidence }: RankingFlags): Configuration {
  return { 'highest label': maxLabel, 'relevant from label': relevantLabel, resamples, seed, confidence };
}

async function tell(evaluated: Evaluated, flags: RankingFlags, json: boolean): Promise<void> {
  const { report, predictions, thumbnails, elapsedMs } = evaluated;
  const baseline = await readGate(flags);
  const written: string[] = [];
  if (flags.out !== undefined && predictions !== undefined) {
    await writeOutput(flags.out, predictions);
    written.push(flags.out);
  }
  if (flags.report !== undefined) {
    written.push(...(await writeReport(flags.report, rankingPage(report, thumbnails), report)));
  }
  if (report.labels[0] === 0 && flags.images !== undefined) {
    note('no cover has label 0, so nothing can stand before the good ones: --unjudged adds their neighbours');
  }
  const checks = applyGate(baseline, flags, report);
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
