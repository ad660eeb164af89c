import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePrecisions, type ModelOutputs, type PrecisionLoss } from '../convert/compare-precisions.ts';
import { type ConvertDeps, type ConvertOptions, convertCheckpoint } from '../convert/convert-checkpoint.ts';
import { samePrecision } from '../convert/precision.ts';
import { failure } from '../core/errors.ts';
import { signalsOf, weigh } from '../ranking/fuse.ts';
import type { OfflineModel } from '../services.ts';
import { readInput, readTexts } from './input-files.ts';

export interface ReportInputs {
  /** A file of texts, one a line. */
  readonly texts: string;
  /** A folder of pictures. */
  readonly images: string;
}

export interface ReportDeps extends ConvertDeps {
  readonly openModel: (folder: string) => Promise<OfflineModel>;
}

const PICTURE = /\.(jpe?g|png|webp)$/i;

/**
 * What the bundle in `options.out` lost against the same checkpoint in fp32, which is converted for the comparison and
 * removed again. Fails with `invalid_request` when there are no texts or no pictures.
 */
export async function measureLoss(
  options: ConvertOptions,
  inputs: ReportInputs,
  { openModel, ...deps }: ReportDeps,
): Promise<PrecisionLoss> {
  const texts = await collect(readTexts([inputs.texts], 'lines'));
  const pictures = await readPictures(inputs.images);
  if (texts.length === 0) throw failure('invalid_request', `${inputs.texts} holds no text.`);
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-exact-'));
  try {
    const out = join(folder, 'fp32');
    await convertCheckpoint({ ...options, out, replace: false, precision: samePrecision('fp32') }, deps);
    const exact = await outputsOf(await openModel(out), texts, pictures);
    return comparePrecisions(exact, await outputsOf(await openModel(options.out), texts, pictures));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function outputsOf(
  model: OfflineModel,
  texts: readonly string[],
  pictures: readonly Buffer[],
): Promise<ModelOutputs> {
  try {
    const embeddings = await model.encodeTexts(texts);
    const images = [];
    for (const picture of pictures) images.push(await model.encodePicture(picture));
    const signals = [];
    for (const [index, text] of texts.entries()) {
      const crossed = await model.crossScore(text, images);
      signals.push(
        images.map(({ embedding, ocrPresence }, image) =>
          signalsOf(dot(embedding, embeddings[index]), ocrPresence, crossed[image]),
        ),
      );
    }
    const weights = model.bundle.manifest.fusion;
    return {
      texts: embeddings,
      images: images.map(({ embedding }) => embedding),
      signals,
      scores: signals.map((ofText) => ofText.map((pair) => weigh(pair, weights).relevanceScore)),
    };
  } finally {
    await model.close();
  }
}

async function readPictures(folder: string): Promise<Buffer[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw failure('invalid_request', `The folder ${folder} cannot be read (${error.code}).`, { cause: error });
  });
  const files = names.filter((name) => PICTURE.test(name)).sort();
  if (files.length === 0) throw failure('invalid_request', `${folder} holds no JPEG, PNG or WebP picture.`);
  const pictures = [];
  for (const file of files) pictures.push(await readInput(join(folder, file)));
  return pictures;
}

function dot(a: Float32Array, b: Float32Array | undefined): number {
  return a.reduce((sum, value, index) => sum + value * (b?.[index] ?? Number.NaN), 0);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
