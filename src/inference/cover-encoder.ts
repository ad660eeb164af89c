import pLimit from 'p-limit';
import { abortFailure, untilAborted } from '../core/abort.ts';
import type { BundleManifest } from '../core/bundle-format.ts';
import type { CoverEncoder } from '../core/ports.ts';
import type { CoverFeatures, ModelRef } from '../core/types.ts';
import { type Batcher, createBatcher } from './batcher.ts';
import { createByteBudget } from './byte-budget.ts';
import { featureOutputs, splitFeatures } from './cover-features.ts';
import { decodeImage, makeThumbnail } from './image.ts';
import type { ModelPart } from './model-part.ts';
import type { RgbImage } from './model-thread.ts';

export interface CoverEncoderDeps {
  readonly model: ModelRef;
  readonly manifest: BundleManifest;
  readonly part: ModelPart;
  readonly maxQueued: number;
  readonly maxBatch: number;
  readonly maxPixels: number;
}

export interface ImageTower extends CoverEncoder {
  /** Like `encode`, without a thumbnail. */
  features(imageBytes: Uint8Array, signal: AbortSignal): Promise<CoverFeatures>;
  readonly queue: Batcher<RgbImage, CoverFeatures>;
}

/** Pictures decoded at once; each may hold `maxPixels` x 3 bytes. */
const DECODERS = 2;
/** Decoded pictures that wait for the tower: hundreds of common ones, two or three of the largest. */
const DECODED_BYTES = 192 * 1024 * 1024;

/** The image tower: embedding, image tokens and OCR presence of a cover, all of it independent of any query. */
export function createCoverEncoder(deps: CoverEncoderDeps): ImageTower {
  const { manifest } = deps;
  const decoding = pLimit(DECODERS);
  const decoded = createByteBudget(DECODED_BYTES);
  const outputs = featureOutputs(manifest);

  const queue = createBatcher<RgbImage, CoverFeatures>({
    name: 'image tower',
    maxQueued: deps.maxQueued,
    fits: (batch) => batch.length < deps.maxBatch,
    run: async (images) =>
      splitFeatures(await deps.part.call('encodeImages', { images, outputs }), images.length, manifest),
  });

  /** Decodes when it is its turn, and does what else needs the bytes. The picture is held until `release` is called. */
  const decode = <T>(bytes: Uint8Array, signal: AbortSignal, more: () => Promise<T>) =>
    decoding(async () => {
      await decoded.room(signal);
      const { decoding: mode, size } = manifest.image;
      const picture = await decodeImage(bytes, { maxPixels: deps.maxPixels, decoding: mode, size }, signal);
      if (signal.aborted) throw abortFailure(signal);
      return { picture, more: await more(), release: decoded.hold(picture.data.byteLength) };
    });

  const encode = async <T>(bytes: Uint8Array, signal: AbortSignal, more: () => Promise<T>) => {
    const making = decode(bytes, signal, more);
    const made = await untilAborted(making, signal).catch((error: unknown) => {
      // Who leaves does not wait; the decoder goes on in its turn, and what it makes is let go.
      making.then(
        ({ release }) => release(),
        () => {},
      );
      throw error;
    });
    try {
      return { features: (await queue.submit(made.picture, signal)).result, more: made.more };
    } finally {
      made.release();
    }
  };

  return {
    model: deps.model,
    queue,
    async features(bytes, signal) {
      return (await encode(bytes, signal, async () => undefined)).features;
    },
    async encode(bytes, signal) {
      const { features, more } = await encode(bytes, signal, () => makeThumbnail(bytes, deps.maxPixels));
      return { features, thumbnail: more };
    },
  };
}
