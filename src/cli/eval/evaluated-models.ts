import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config-schema.ts';
import { failure, isFailure } from '../../core/errors.ts';
import type { Thumbnail } from '../../core/types.ts';
import { openFetchedPictures } from '../../eval/pictures/fetched.ts';
import { openPictureFolder } from '../../eval/pictures/folder.ts';
import type { PictureSource } from '../../eval/pictures/picture-source.ts';
import { MAX_THUMBNAIL_BYTES, type Thumbnails } from '../../eval/report/html/covers.ts';
import type { EvaluatedModel } from '../../eval/scoring/evaluated-model.ts';
import { openScoreCache } from '../../eval/scoring/score-cache.ts';
import type { CachedModel } from '../../eval/scoring/score-judgements.ts';
import { createImageFetcher } from '../../indexing/fetch-image.ts';
import type { FusionWeights } from '../../ranking/fuse.ts';
import { fusionWeights, rankingBundles } from '../../ranking/fusion-weights.ts';
import type { ExactFeatures, OfflineModel } from '../../services.ts';

/** Where pictures come from, and where what was made of them is kept. */
export interface PictureFlags {
  readonly images?: string;
  readonly fetch?: true;
  /** False: nothing is kept. */
  readonly cache: string | boolean;
}

/** The bundles of an evaluation: the recall bundle, and that of the cross-encoder, which may be the same. */
export interface EvaluatedModels {
  readonly recall: CachedModel<ExactFeatures>;
  readonly rerank: CachedModel<ExactFeatures>;
  /** The configuration's weights, or those that the bundles bring along. */
  readonly weights: FusionWeights;
  close(): Promise<void>;
}

export function withPictureOptions(command: Command): Command {
  return command
    .option('--images <folder>', 'folder of the pictures, each named like its cover')
    .option('--cache <folder>', 'where embeddings, scores and fetched pictures are kept (default: below ~/.cache)')
    .option('--no-cache', 'keep nothing for the next run');
}

export async function openModels(config: Config, flags: PictureFlags): Promise<EvaluatedModels> {
  const { openOfflineModel, readManifest } = await import('../../services.ts');
  const weights = fusionWeights(config.fusion, rankingBundles(config, readManifest));
  const open = (folder: string): Promise<OfflineModel> =>
    openOfflineModel(folder, { maxPixels: config.limits.image_max_pixels });
  const recall = await open(config.model);
  const rerank = config.rerank_model === '' ? recall : await open(config.rerank_model);
  const withCache = async (model: OfflineModel): Promise<CachedModel<ExactFeatures>> => ({
    model: evaluated(model),
    cache: await openScoreCache(cacheFolder(flags), model.bundle.manifest.hash),
  });
  const cached = await withCache(recall);
  return {
    recall: cached,
    rerank: rerank === recall ? cached : await withCache(rerank),
    weights,
    async close() {
      await recall.close();
      if (rerank !== recall) await rerank.close();
    },
  };
}

/** The pictures that the flags name. `addresses` are those of the judgements, for `--fetch`. */
export async function openPictures(
  config: Config,
  flags: PictureFlags,
  addresses: ReadonlyMap<string, string>,
): Promise<{ readonly pictures: PictureSource; close(): Promise<void> }> {
  if (flags.images !== undefined) return { pictures: await openPictureFolder(flags.images), close: async () => {} };
  if (addresses.size === 0) throw failure('invalid_request', 'The judgements give no addresses of pictures to fetch.');
  const fetcher = createImageFetcher({
    allow: config.fetch.allow,
    concurrency: config.fetch.concurrency,
    perHost: config.fetch.per_host,
    maxBytes: config.limits.image_max_bytes,
  });
  const folder = cacheFolder(flags);
  const keepIn = folder === undefined ? undefined : join(folder, 'fetched');
  return { pictures: await openFetchedPictures({ fetcher, addresses, keepIn }), close: () => fetcher.close() };
}

/** Small pictures for a report, until they are as large together as a page may be. */
export async function makeThumbnails(
  covers: readonly string[],
  pictures: PictureSource,
  config: Config,
): Promise<Thumbnails> {
  const { makeThumbnail } = await import('../../services.ts');
  const thumbnails = new Map<string, Thumbnail>();
  let bytes = 0;
  for (const cover of covers) {
    if (bytes > MAX_THUMBNAIL_BYTES) break;
    try {
      const thumbnail = await makeThumbnail(await pictures.read(cover), config.limits.image_max_pixels);
      thumbnails.set(cover, thumbnail);
      bytes += thumbnail.bytes.length;
    } catch (error) {
      if (!isFailure(error)) throw error; // one that cannot be shown is named by its id
    }
  }
  return thumbnails;
}

/** How far a long step has come, on one line of stderr, where somebody is looking. */
export function progress(step: string, done: number, all: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${step}: ${done} of ${all}${done === all ? '\n' : ''}`);
}

function evaluated(model: OfflineModel): EvaluatedModel<ExactFeatures> {
  const { manifest } = model.bundle;
  return {
    name: manifest.name,
    hash: manifest.hash,
    embeddingDim: manifest.embedding_dim,
    hasCrossEncoder: manifest.rerank !== null,
    encodeTexts: model.encodeTexts,
    encodePicture: model.encodePicture,
    async encodeBlank() {
      const [features] = await model.encodePixels(new Float32Array(3 * manifest.image.size ** 2), 1);
      if (features === undefined) throw failure('internal', 'The image tower gave nothing.');
      return features;
    },
    crossScore: model.crossScore,
  };
}

function cacheFolder({ cache }: PictureFlags): string | undefined {
  if (cache === false) return undefined;
  if (typeof cache === 'string') return cache;
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'coverrank', 'eval');
}
