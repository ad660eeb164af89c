import { basename } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../config-schema.ts';
import { failure } from '../../core/errors.ts';
import { type Captions, readCaptions, selectImages } from '../../eval/judgements/captions.ts';
import {
  meanFigures,
  type RetrievalEstimate,
  type RetrievalRanks,
  retrievalEstimates,
  retrievalFigures,
  retrievalRanks,
} from '../../eval/metrics/retrieval.ts';
import { figuresReport } from '../../eval/report/figures-report.ts';
import type { Configuration } from '../../eval/report/ranking-report.ts';
import { rankCaptions, scoreCaptions } from '../../eval/scoring/score-captions.ts';
import { signalsOf, weigh } from '../../ranking/fuse.ts';
import { wholeNumber } from '../arguments.ts';
import { readInput } from '../input-files.ts';
import { parseNpy } from '../npy.ts';
import { note } from '../output.ts';
import { configOf, isJson, withSettings } from '../settings.ts';
import { tellFigures } from './eval-figures.ts';
import { type EvaluationFlags, resamplingOf, withEvaluationOptions } from './eval-options.ts';
import { openModels, openPictures, type PictureFlags, progress, withPictureOptions } from './evaluated-models.ts';

interface RetrievalFlags extends EvaluationFlags, PictureFlags {
  readonly data: string;
  readonly split?: string;
  readonly scores?: string;
  readonly topPairs: number;
  readonly folds: number;
}

/** A part of the captions that is ranked by itself, and where its images and texts stand in the whole. */
interface Fold {
  readonly captions: Captions;
  readonly from: number;
  readonly texts: Int32Array;
}

interface Ranked {
  readonly folds: readonly RetrievalRanks[];
  readonly system: string;
  readonly configuration: Configuration;
}

/** `coverrank eval retrieval`: texts finding their image and images their texts. */
export function retrievalCommand(): Command {
  const command = withPictureOptions(withEvaluationOptions(new Command('retrieval')))
    .summary('image-text retrieval both ways: R@k, r_mean, MedR, MeanR, SumR')
    .description('Recall and ranks both ways for CCMB-, Flickr30k- and COCO-style annotations.')
    .requiredOption('--data <file>', 'annotations: CCMB JSON lines, Flickr30k rows, COCO captions, Karpathy splits')
    .option('--split <name>', 'of a file with splits, such as test')
    .option('--scores <file.npy>', 'float32 [images, texts] of another system, in the order of the annotations')
    .option(
      '--top-pairs <n>',
      "pairs of each query that the cross-encoder scores (R2D2's protocol); 0: the cosine alone",
      wholeNumber(0),
      0,
    )
    .option('--folds <n>', 'cut the images into n parts and average, as for the 1K of COCO', wholeNumber(1), 1)
    .action(async (flags: RetrievalFlags) => {
      if ((flags.scores === undefined) === (flags.images === undefined)) {
        command.error('error: give one of --images and --scores');
      }
      const captions = readCaptions(await readInput(flags.data), flags.data, flags.split);
      const folds = foldsOf(captions, flags.folds);
      const ranked =
        flags.scores === undefined
          ? await rankWithBundle(captions, folds, flags, configOf(command).config)
          : await rankByMatrix(captions, folds, flags.scores);
      const report = figuresReport({
        kind: 'retrieval',
        system: ranked.system,
        estimates: estimatesOf(ranked.folds, flags),
        problems: captions.problems,
        configuration: {
          data: flags.data,
          format: captions.format,
          folds: flags.folds,
          ...ranked.configuration,
          ...resamplingOf(flags),
        },
      });
      const counts = { images: captions.images.length, texts: captions.texts.length };
      await tellFigures(report, counts, flags, { json: isJson(command) });
    });
  return withSettings(command, ['model', 'rerank_model', 'fusion']);
}

function foldsOf(captions: Captions, count: number): Fold[] {
  const images = captions.images.length;
  if (count > images) throw failure('invalid_request', `${images} images cannot be cut into ${count} parts.`);
  return Array.from({ length: count }, (_, fold) => {
    const from = Math.round((fold * images) / count);
    return { from, ...selectImages(captions, from, Math.round(((fold + 1) * images) / count)) };
  });
}

async function rankWithBundle(
  captions: Captions,
  folds: readonly Fold[],
  flags: RetrievalFlags,
  config: Config,
): Promise<Ranked> {
  const { pictures, close } = await openPictures(config, flags, new Map());
  const models = await openModels(config, flags);
  const { topPairs } = flags;
  try {
    if (topPairs > 0 && !models.rerank.model.hasCrossEncoder) {
      throw failure(
        'invalid_config',
        `--top-pairs ${topPairs} asks for a cross-encoder, which ${models.rerank.model.name} does not have. Name a bundle that has one with --rerank-model, or leave --top-pairs out to rank by the cosine alone.`,
      );
    }
    const deps = {
      ...models,
      pictures,
      signalsOf,
      score: (signals: Readonly<Record<string, number>>) => weigh(signals, models.weights).relevanceScore,
      onProgress: progress,
    };
    // Each part has its own nearest neighbours, so each is scored by itself; the pictures are embedded once.
    const ranks: RetrievalRanks[] = [];
    let missing = 0;
    for (const { captions: part } of folds) {
      const scored = await scoreCaptions(part, topPairs, deps);
      missing += scored.gallery.missing.length;
      ranks.push(rankCaptions(scored, part, topPairs));
    }
    if (missing > 0) note(`${missing} of ${captions.images.length} images have no picture; a blank one stands in`);
    const { name, hash } = models.recall.model;
    return {
      folds: ranks,
      system: name,
      configuration: {
        pictures: pictures.name,
        'images without a picture': missing,
        bundle: `${name} (${hash})`,
        reranker: topPairs === 0 ? 'none: cosine alone' : `${models.rerank.model.name} (${models.rerank.model.hash})`,
        'pairs scored for each query': topPairs,
        weights: topPairs === 0 ? '{"cosine":1}' : JSON.stringify(models.weights),
      },
    };
  } finally {
    await models.close();
    await close();
  }
}

async function rankByMatrix(captions: Captions, folds: readonly Fold[], file: string): Promise<Ranked> {
  const { shape, data } = parseNpy(await readInput(file), file);
  const [images, texts] = [captions.images.length, captions.texts.length];
  if (shape.join() !== `${images},${texts}`) {
    throw failure('invalid_request', `${file} has shape [${shape}]; the annotations need [${images}, ${texts}].`);
  }
  if (!data.every(Number.isFinite)) throw failure('invalid_request', `${file} holds scores that are not finite.`);
  const ranks = folds.map(({ captions: part, from, texts: columns }) => {
    const scoreOf = (image: number, text: number): number => data[(from + image) * texts + (columns[text] ?? 0)] ?? 0;
    return retrievalRanks(part, {
      imageToText: (image, row) => {
        for (let text = 0; text < row.length; text++) row[text] = scoreOf(image, text);
      },
      textToImage: (text, row) => {
        for (let image = 0; image < row.length; image++) row[image] = scoreOf(image, text);
      },
    });
  });
  return { folds: ranks, system: basename(file), configuration: { scores: file } };
}

/** Figures of parts are averaged; an interval of such a mean is not offered. */
function estimatesOf(folds: readonly RetrievalRanks[], flags: RetrievalFlags): RetrievalEstimate[] {
  const [only, ...more] = folds;
  if (only !== undefined && more.length === 0) return retrievalEstimates(only, flags);
  return Object.entries(meanFigures(folds.map(retrievalFigures))).map(([name, value]) => ({
    name,
    value,
    interval: null,
  }));
}
