import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { type Config, ConfigSchema } from '../config-schema.ts';
import { comparePrecisions, type ModelOutputs, type PrecisionLoss } from '../convert/compare-precisions.ts';
import { type ConvertDeps, type ConvertOptions, convertCheckpoint } from '../convert/convert-checkpoint.ts';
import { samePrecision } from '../convert/precision.ts';
import { dot } from '../core/dot.ts';
import { failure } from '../core/errors.ts';
import type { Signals } from '../core/types.ts';
import { signalsOf, weigh } from '../ranking/fuse.ts';
import type { Model, OfflineModel } from '../services.ts';
import { readInput, readTexts } from './input-files.ts';

export interface ReportInputs {
  /** A file of texts, one a line. */
  readonly texts: string;
  /** A folder of pictures. */
  readonly images: string;
}

export interface ReportDeps extends ConvertDeps {
  readonly openOffline: (folder: string) => Promise<OfflineModel>;
  readonly openServed: (folder: string) => Promise<Model>;
}

export interface LossReport {
  /** Of all choices together: against fp32, with all image tokens in full precision. */
  readonly total: PrecisionLoss;
  /** Of pooling the image tokens alone: against the same precision without it. Undefined where they are not pooled. */
  readonly pooling: PrecisionLoss | undefined;
}

/** One text or picture as one model sees it. */
interface Encoded {
  readonly texts: readonly Float32Array[];
  readonly images: readonly { readonly embedding: Float32Array; readonly ocrPresence: number | undefined }[];
  /** The cross-encoder's signals, by text and picture; empty where there is none. */
  readonly crossed: readonly (readonly Signals[])[];
}

const PICTURE = /\.(jpe?g|png|webp)$/i;
const NEVER = new AbortController().signal;

/** The service's own limits, whatever is configured on this machine. */
export const REPORT_SETTINGS = Value.Default(ConfigSchema, {}) as Config;

/**
 * What the bundle in `options.out`, as the service runs it, lost against the same checkpoint in fp32, which is converted
 * for the comparison and removed again. Fails with `invalid_request` when there are no texts or no pictures.
 */
export async function measureLoss(
  options: ConvertOptions,
  inputs: ReportInputs,
  { openOffline, openServed, ...deps }: ReportDeps,
): Promise<LossReport> {
  const texts = await collect(readTexts([inputs.texts], 'lines'));
  const pictures = await readPictures(inputs.images);
  if (texts.length === 0) throw failure('invalid_request', `${inputs.texts} holds no text.`);
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-exact-'));
  const twin = async (name: string, changes: Partial<ConvertOptions>): Promise<string> => {
    const out = join(folder, name);
    await convertCheckpoint({ ...options, out, replace: false, poolTokens: undefined, ...changes }, deps);
    return out;
  };
  try {
    const reduced = await servedOutputs(await openServed(options.out), texts, pictures);
    const fp32 = await twin('fp32', { precision: samePrecision('fp32') });
    const exact = await exactOutputs(await openOffline(fp32), texts, pictures);
    const total = comparePrecisions(exact, reduced);
    if ((options.poolTokens ?? 1) === 1) return { total, pooling: undefined };
    const unpooled = await servedOutputs(await openServed(await twin('unpooled', {})), texts, pictures);
    return { total, pooling: comparePrecisions(unpooled, reduced) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function exactOutputs(
  model: OfflineModel,
  texts: readonly string[],
  pictures: readonly Buffer[],
): Promise<ModelOutputs> {
  try {
    const embeddings = await model.encodeTexts(texts);
    const images = [];
    for (const picture of pictures) images.push(await model.encodePicture(picture));
    const crossed = [];
    for (const text of texts) crossed.push(await model.crossScore(text, images));
    return outputsOf({ texts: embeddings, images, crossed }, model.bundle.manifest.fusion);
  } finally {
    await model.close();
  }
}

/** With the tokens as they are stored. */
async function servedOutputs(
  { textEncoder, coverEncoder, crossEncoder, bundle, close }: Model,
  texts: readonly string[],
  pictures: readonly Buffer[],
): Promise<ModelOutputs> {
  try {
    const embeddings = [];
    for (const text of texts) embeddings.push((await textEncoder.encode(text, NEVER)).embedding);
    const images = [];
    for (const picture of pictures) images.push(await coverEncoder.features(picture, NEVER));
    const tokens = images.flatMap((image) => image.tokens ?? []);
    const crossed = [];
    for (const text of texts) {
      crossed.push((await crossEncoder?.score(crossEncoder.prepare(text), tokens, NEVER)) ?? []);
    }
    return outputsOf({ texts: embeddings, images, crossed }, bundle.manifest.fusion);
  } finally {
    await close();
  }
}

function outputsOf({ texts, images, crossed }: Encoded, weights: Readonly<Record<string, number>>): ModelOutputs {
  const signals = texts.map((query, text) =>
    images.map(({ embedding, ocrPresence }, image) =>
      signalsOf(dot(embedding, query), ocrPresence, crossed[text]?.[image]),
    ),
  );
  return {
    texts,
    images: images.map(({ embedding }) => embedding),
    signals,
    scores: signals.map((ofText) => ofText.map((pair) => weigh(pair, weights).relevanceScore)),
  };
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

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
