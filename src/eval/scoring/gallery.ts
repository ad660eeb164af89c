import { failure, isFailure } from '../../core/errors.ts';
import type { PictureSource } from '../pictures/picture-source.ts';
import type { EvaluatedModel, PictureFeatures } from './evaluated-model.ts';
import { hashPicture, type ScoreCache } from './score-cache.ts';

/** The covers of an evaluation as one bundle sees them: C covers of D numbers. */
export interface Gallery {
  readonly covers: readonly string[];
  readonly dim: number;
  /** [C * D], L2-normalised. */
  readonly embeddings: Float32Array;
  /** [C] */
  readonly presence: readonly (number | undefined)[];
  /** [C]: hash of the picture's bytes; undefined where there was no picture, and a blank one took its place. */
  readonly imageHashes: readonly (string | undefined)[];
  readonly missing: readonly MissingPicture[];
}

export interface MissingPicture {
  readonly cover: string;
  readonly reason: string;
}

export interface GalleryDeps<F extends PictureFeatures> {
  readonly model: EvaluatedModel<F>;
  readonly pictures: PictureSource;
  readonly cache: ScoreCache;
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
}

/** Pictures read at once, from a disk or from hosts that take their time, and encoded one after the other. */
const READ_AHEAD = 32;

/**
 * Embeds the pictures of `covers`; those that the cache knows by their bytes are not embedded again. Fails with
 * `invalid_request` when not one of them can be had.
 */
export async function encodeGallery<F extends PictureFeatures>(
  covers: readonly string[],
  { model, pictures, cache, onProgress }: GalleryDeps<F>,
): Promise<Gallery> {
  const dim = model.embeddingDim;
  const embeddings = new Float32Array(covers.length * dim);
  const presence: (number | undefined)[] = [];
  const imageHashes: (string | undefined)[] = [];
  const missing: MissingPicture[] = [];
  let blank: F | undefined;

  for (let from = 0; from < covers.length; from += READ_AHEAD) {
    const group = covers.slice(from, from + READ_AHEAD);
    const read = await Promise.all(group.map((cover) => readPicture(pictures, cover)));
    for (const [position, cover] of group.entries()) {
      const found = await encodeOne(read[position] as ReadPicture, model, cache);
      if ('reason' in found) {
        missing.push({ cover, reason: found.reason });
        blank ??= await model.encodeBlank();
      }
      const { embedding, ocrPresence } = 'reason' in found ? (blank as F) : found.features;
      embeddings.set(embedding, (from + position) * dim);
      presence.push(ocrPresence);
      imageHashes.push('reason' in found ? undefined : found.imageHash);
    }
    await cache.flush();
    onProgress?.(Math.min(covers.length, from + READ_AHEAD), covers.length);
  }
  if (missing.length === covers.length) {
    throw failure('invalid_request', `None of the ${covers.length} pictures can be had: ${missing[0]?.reason}`);
  }
  return { covers, dim, embeddings, presence, imageHashes, missing };
}

export type ReadPicture = { readonly bytes: Uint8Array } | { readonly reason: string };

/** A picture that cannot be had is no reason to end an evaluation of thousands. */
export async function readPicture(pictures: PictureSource, cover: string): Promise<ReadPicture> {
  try {
    return { bytes: await pictures.read(cover) };
  } catch (error) {
    if (isFailure(error)) return { reason: error.detail };
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { reason: `The picture cannot be read (${code}).` };
  }
}

async function encodeOne<F extends PictureFeatures>(
  picture: ReadPicture,
  model: EvaluatedModel<F>,
  cache: ScoreCache,
): Promise<{ readonly features: PictureFeatures; readonly imageHash: string } | { readonly reason: string }> {
  if ('reason' in picture) return picture;
  const imageHash = hashPicture(picture.bytes);
  const known = cache.picture(imageHash);
  if (known?.embedding.length === model.embeddingDim) return { features: known, imageHash };
  try {
    const features = await model.encodePicture(picture.bytes);
    cache.keepPicture(imageHash, features);
    return { features, imageHash };
  } catch (error) {
    if (isFailure(error)) return { reason: error.detail };
    throw error;
  }
}
