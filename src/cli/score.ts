import { Command } from 'commander';
import { dot } from '../core/dot.ts';
import { failure, isFailure } from '../core/errors.ts';
import type { Signals } from '../core/types.ts';
import { type FusionWeights, signalsOf, weigh } from '../ranking/fuse.ts';
import { fusionWeights, rankingBundles } from '../ranking/fusion-weights.ts';
import type { ExactFeatures, OfflineModel } from '../services.ts';
import { readInput, readPixels, readTexts } from './input-files.ts';
import { formatTable, print, printJson } from './output.ts';
import { configOf, isJson, withSettings } from './settings.ts';

interface ScoreFlags {
  readonly text?: string;
  readonly texts?: string;
  readonly image?: string;
  readonly images?: readonly string[];
  readonly pixels?: string;
}

/** What every bundle that takes part made of one picture: the recall bundle's features, and the reranker's. */
interface ScoredImage {
  readonly recall: ExactFeatures;
  readonly rerank: ExactFeatures;
}

interface Models {
  readonly recall: OfflineModel;
  /** The bundle of the cross-encoder: the same one unless `--rerank-model` names another. */
  readonly rerank: OfflineModel;
}

/** `coverrank score`: every text with every picture, in full precision. */
export function scoreCommand(): Command {
  const command = new Command('score')
    .description('All signals of one text with one picture, or of every text with every picture (texts outermost).')
    .option('--text <query>', 'one text')
    .option('--texts <file.ndjson>', 'texts, {"text": …} a line')
    .option('--image <file>', 'one picture')
    .option('--images <file...>', 'pictures')
    .option('--pixels <file.npy>', 'preprocessed pictures, float32 [n, 3, R, R]')
    .action(async (flags: ScoreFlags) => {
      if ((flags.text === undefined) === (flags.texts === undefined)) command.error('error: give --text or --texts');
      if ([flags.image, flags.images, flags.pixels].filter((given) => given !== undefined).length !== 1) {
        command.error('error: give one of --image, --images and --pixels');
      }
      const { config } = configOf(command);
      const { openOfflineModel, readManifest } = await import('../services.ts');
      const weights = fusionWeights(config.fusion, rankingBundles(config, readManifest));
      const open = (dir: string) => openOfflineModel(dir, { maxPixels: config.limits.image_max_pixels });
      const recall = await open(config.model);
      const rerank = config.rerank_model === '' ? recall : await open(config.rerank_model);
      try {
        await scoreAll({ recall, rerank }, flags, weights, isJson(command));
      } finally {
        await recall.close();
        if (rerank !== recall) await rerank.close();
      }
    });
  return withSettings(command, ['model', 'rerank_model', 'fusion']);
}

async function scoreAll(models: Models, flags: ScoreFlags, weights: FusionWeights, json: boolean): Promise<void> {
  const texts = flags.text === undefined ? await collect(readTexts([flags.texts ?? ''], 'ndjson')) : [flags.text];
  const images = await encodeAll(models, flags);
  const embeddings = await models.recall.encodeTexts(texts);
  const rows: (string | number)[][] = [];
  let names: readonly string[] = [];
  for (const [text, query] of texts.entries()) {
    const scores = await scoreText(models, query, embeddings[text] ?? new Float32Array(), images);
    for (const [image, signals] of scores.entries()) {
      const { relevanceScore } = weigh(signals, weights);
      if (json) printJson({ text, image, signals, relevance_score: relevanceScore });
      names = Object.keys(signals);
      rows.push([text, image, relevanceScore, ...Object.values(signals)]);
    }
  }
  if (!json) print(formatTable(['text', 'image', 'score', ...names], rows));
}

async function encodeAll({ recall, rerank }: Models, flags: ScoreFlags): Promise<ScoredImage[]> {
  const first = await encodeWith(recall, flags);
  const second = rerank === recall ? first : await encodeWith(rerank, flags);
  return first.map((features, position) => ({ recall: features, rerank: second[position] ?? features }));
}

async function encodeWith(model: OfflineModel, { image, images, pixels }: ScoreFlags): Promise<ExactFeatures[]> {
  if (pixels !== undefined) {
    const { data, count } = await readPixels(pixels, model.bundle.manifest.image.size);
    return model.encodePixels(data, count);
  }
  const encoded: ExactFeatures[] = [];
  for (const file of images ?? [image ?? '']) encoded.push(await encodeFile(model, file));
  return encoded;
}

async function encodeFile(model: OfflineModel, file: string): Promise<ExactFeatures> {
  try {
    return await model.encodePicture(await readInput(file));
  } catch (error) {
    if (!isFailure(error) || error.code === 'invalid_request') throw error;
    throw failure(error.code, `${file}: ${error.detail}`, { cause: error });
  }
}

async function scoreText(
  { rerank }: Models,
  query: string,
  embedding: Float32Array,
  images: readonly ScoredImage[],
): Promise<Signals[]> {
  const crossed = await rerank.crossScore(
    query,
    images.map((image) => image.rerank),
  );
  return images.map((image, position) =>
    signalsOf(
      dot(embedding, image.recall.embedding),
      image.recall.ocrPresence ?? image.rerank.ocrPresence,
      crossed[position],
    ),
  );
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
