import pLimit from 'p-limit';
import type { BundleManifest } from '../core/bundle-format.ts';
import type { CoverEncoder } from '../core/ports.ts';
import type { CoverFeatures, ModelRef } from '../core/types.ts';
import { type Batcher, createBatcher } from './batcher.ts';
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

/** The image tower: embedding, image tokens and OCR presence of a cover, all of it independent of any query. */
export function createCoverEncoder(deps: CoverEncoderDeps): ImageTower {
  const { manifest } = deps;
  const decoding = pLimit(DECODERS);
  const outputs = featureOutputs(manifest);

  const queue = createBatcher<RgbImage, CoverFeatures>({
    name: 'image tower',
    maxQueued: deps.maxQueued,
    fits: (batch) => batch.length < deps.maxBatch,
    run: async (images) =>
      splitFeatures(await deps.part.call('encodeImages', { images, outputs }), images.length, manifest),
  });

  const decode = (bytes: Uint8Array, signal: AbortSignal): Promise<RgbImage> => {
    const { decoding: mode, size } = manifest.image;
    return decodeImage(bytes, { maxPixels: deps.maxPixels, decoding: mode, size }, signal);
  };

  return {
    model: deps.model,
    queue,
    async features(bytes, signal) {
      const picture = await decoding(() => decode(bytes, signal));
      return (await queue.submit(picture, signal)).result;
    },
    async encode(bytes, signal) {
      const { picture, thumbnail } = await decoding(async () => ({
        picture: await decode(bytes, signal),
        thumbnail: await makeThumbnail(bytes, deps.maxPixels),
      }));
      const { result } = await queue.submit(picture, signal);
      return { features: result, thumbnail };
    },
  };
}
