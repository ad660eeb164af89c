import os from 'node:os';
import { failure } from '../core/errors.ts';
import type { Tensor, TensorMap } from '../core/ports.ts';
import type { Signals } from '../core/types.ts';
import { type Bundle, openBundle } from './bundle.ts';
import { rerankTexts } from './cross-encoder.ts';
import { decodeImage } from './image.ts';
import { openTokenizer } from './model.ts';
import { startModelPart } from './model-part.ts';
import { padTexts, splitEmbeddings } from './text-encoder.ts';
import type { TokenizedText } from './tokenizer.ts';

/** A picture's features in full precision, as the image graph gives them. */
export interface ExactFeatures {
  readonly embedding: Float32Array;
  readonly ocrPresence: number | undefined;
  /** [count, width]; undefined where the bundle has no reranker. */
  readonly tokens: Float32Array | undefined;
}

/**
 * A bundle for the command line and for evaluation: one caller at a time, no queue, and image tokens that never were
 * quantised, so that an fp32 bundle scores as the reference code does.
 */
export interface OfflineModel {
  readonly bundle: Bundle;
  /** Width of a picture's tokens in full precision; 0 where there are none. */
  readonly tokenWidth: number;
  tokenize(text: string): TokenizedText;
  /** One embedding per text, [embedding_dim] each, L2-normalised. */
  encodeTexts(texts: readonly string[]): Promise<Float32Array[]>;
  encodePicture(bytes: Uint8Array): Promise<ExactFeatures>;
  /** Preprocessed pictures, float32 [n, 3, R, R]. */
  encodePixels(pixels: Float32Array, count: number): Promise<ExactFeatures[]>;
  /** The cross-encoder's signals of one text with each image; empty where the bundle has none. */
  crossScore(text: string, images: readonly ExactFeatures[]): Promise<Signals[]>;
  close(): Promise<void>;
}

export interface OfflineOptions {
  readonly maxPixels: number;
}

const TEXTS_PER_RUN = 32;
const IMAGES_PER_RUN = 8;
const PAIRS_PER_RUN = 32;
const NEVER = new AbortController().signal;

export async function openOfflineModel(dir: string, { maxPixels }: OfflineOptions): Promise<OfflineModel> {
  const bundle = await openBundle(dir);
  const { manifest } = bundle;
  const { rerank, tokens, image } = manifest;
  const part = await startModelPart({
    name: 'model',
    bundle,
    graphs: ['preprocess', 'image', 'text', ...(rerank === null ? [] : (['rerank_float'] as const))],
    threads: os.availableParallelism(),
    device: 'cpu',
    niceness: 0,
  });
  const tokenizer = openTokenizer(bundle);
  const tokenWidth = Number(manifest.graphs.image.outputs.find(({ name }) => name === 'tokens')?.shape.at(-1) ?? 0);
  const outputs = ['embedding', 'tokens', 'ocr_presence'].filter((name) =>
    manifest.graphs.image.outputs.some((output) => output.name === name),
  );

  async function encodeTexts(texts: readonly string[]): Promise<Float32Array[]> {
    const embeddings: Float32Array[] = [];
    for (const some of chunks(texts, TEXTS_PER_RUN)) {
      const inputs = padTexts(some.map((text) => tokenizer.tokenize(text).ids));
      const { embedding } = await part.call('run', { graph: 'text', inputs });
      embeddings.push(...splitEmbeddings(embedding, some.length, manifest.embedding_dim));
    }
    return embeddings;
  }

  function splitExact(features: TensorMap, count: number): ExactFeatures[] {
    const presence = features['ocr_presence']?.data;
    const all = features['tokens']?.data;
    const size = (tokens?.count ?? 0) * tokenWidth;
    return splitEmbeddings(features['embedding'], count, manifest.embedding_dim).map((embedding, row) => ({
      embedding,
      ocrPresence: presence instanceof Float32Array ? presence[row] : undefined,
      tokens: all instanceof Float32Array && tokens !== null ? all.slice(row * size, (row + 1) * size) : undefined,
    }));
  }

  async function encodePixels(pixels: Float32Array, count: number): Promise<ExactFeatures[]> {
    const size = 3 * image.size * image.size;
    if (count === 0 || pixels.length !== count * size) {
      throw failure('invalid_request', `The pixels must be float32 [n, 3, ${image.size}, ${image.size}].`);
    }
    const features: ExactFeatures[] = [];
    for (let from = 0; from < count; from += IMAGES_PER_RUN) {
      const to = Math.min(count, from + IMAGES_PER_RUN);
      const data = pixels.slice(from * size, to * size);
      const pixelValues: Tensor = { type: 'float32', dims: [to - from, 3, image.size, image.size], data };
      features.push(
        ...splitExact(
          await part.call('run', { graph: 'image', inputs: { pixel_values: pixelValues }, outputs }),
          to - from,
        ),
      );
    }
    return features;
  }

  async function encodePicture(bytes: Uint8Array): Promise<ExactFeatures> {
    const picture = await decodeImage(bytes, { maxPixels, decoding: image.decoding, size: image.size }, NEVER);
    const [features] = splitExact(await part.call('encodeImages', { images: [picture], outputs }), 1);
    if (features === undefined) throw failure('internal', 'The image tower gave nothing.');
    return features;
  }

  async function crossScore(text: string, images: readonly ExactFeatures[]): Promise<Signals[]> {
    if (rerank === null || tokens === null) return images.map(() => ({}));
    const { ids } = tokenizer.tokenizeTo(text, rerank.context_length);
    const texts = rerankTexts([ids], manifest);
    const signals: Signals[] = [];
    for (const some of chunks(images, PAIRS_PER_RUN)) {
      const size = tokens.count * tokenWidth;
      const data = new Float32Array(some.length * size);
      some.forEach((features, pair) => {
        data.set(features.tokens ?? [], pair * size);
      });
      const scores = await part.call('run', {
        graph: 'rerank_float',
        inputs: {
          ...texts,
          pair_text: { type: 'int64', dims: [some.length], data: new BigInt64Array(some.length) },
          tokens: { type: 'float32', dims: [some.length, tokens.count, tokenWidth], data },
        },
      });
      signals.push(
        ...some.map((_, pair) =>
          Object.fromEntries(rerank.signals.map((name) => [name, Number(scores[name]?.data[pair])])),
        ),
      );
    }
    return signals;
  }

  return {
    bundle,
    tokenWidth,
    tokenize: (text) => tokenizer.tokenize(text),
    encodeTexts,
    encodePicture,
    encodePixels,
    crossScore,
    close: () => part.close(),
  };
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
