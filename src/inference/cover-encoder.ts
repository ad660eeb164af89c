import pLimit from 'p-limit';
import type { BundleManifest } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { CoverEncoder, Tensor, TensorMap } from '../core/ports.ts';
import type { CoverFeatures, ModelRef } from '../core/types.ts';
import { type Batcher, createBatcher } from './batcher.ts';
import { decodeImage, makeThumbnail } from './image.ts';
import type { ModelPart } from './model-part.ts';
import type { RgbImage } from './model-thread.ts';
import { splitEmbeddings } from './text-encoder.ts';

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

/** Outputs of the image graph that a stored cover is made of. */
export function featureOutputs(manifest: BundleManifest): readonly string[] {
  const stored = ['embedding', 'tokens_int8', 'token_scale', 'ocr_presence'];
  const offered = new Set(manifest.graphs.image.outputs.map((output) => output.name));
  return stored.filter((name) => offered.has(name) && (manifest.tokens !== null || !name.startsWith('token')));
}

export function splitFeatures(outputs: TensorMap, count: number, manifest: BundleManifest): CoverFeatures[] {
  const embeddings = splitEmbeddings(outputs['embedding'], count, manifest.embedding_dim);
  const presence = floats(outputs['ocr_presence']);
  const values = outputs['tokens_int8']?.data;
  const scales = floats(outputs['token_scale']);
  if (scales?.every(Number.isFinite) === false) {
    throw failure('internal', 'The model gave image tokens that are not finite.');
  }
  const tokenCount = manifest.tokens?.count ?? 0;
  const tokenBytes = tokenCount * (manifest.tokens?.width ?? 0);
  return embeddings.map((embedding, row) => {
    const ocrPresence = presence?.[row];
    if (ocrPresence !== undefined && !Number.isFinite(ocrPresence)) {
      throw failure('internal', 'The model gave an OCR presence that is not finite.');
    }
    const hasTokens = values instanceof Int8Array && scales !== undefined;
    return {
      embedding,
      ocrPresence,
      tokens: hasTokens
        ? {
            values: values.slice(row * tokenBytes, (row + 1) * tokenBytes),
            scales: scales.slice(row * tokenCount, (row + 1) * tokenCount),
          }
        : undefined,
    };
  });
}

function floats(tensor: Tensor | undefined): Float32Array | undefined {
  return tensor?.data instanceof Float32Array ? tensor.data : undefined;
}
