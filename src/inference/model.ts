import os from 'node:os';
import type { ModelRef } from '../core/types.ts';
import { type Bundle, openBundle } from './bundle.ts';
import { createCoverEncoder, type ImageTower } from './cover-encoder.ts';
import { createCrossEncoder, type LocalCrossEncoder } from './cross-encoder.ts';
import { type ModelPart, startModelPart } from './model-part.ts';
import { runSelfTest } from './self-test.ts';
import { createTextEncoder, type TextEncoder } from './text-encoder.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export interface ModelOptions {
  readonly threads: { readonly text: number; readonly rerank: number; readonly image: number };
  readonly limits: {
    readonly text_queue: number;
    readonly text_batch_tokens: number;
    readonly rerank_queue: number;
    readonly rerank_batch_pairs: number;
    readonly image_queue: number;
    readonly image_batch: number;
    readonly image_max_pixels: number;
    readonly query_cache: number;
  };
  /** False where a server reranks: then the reranker's graph stays unloaded. */
  readonly loadReranker?: boolean;
  readonly onDeath?: (part: string, error: Error) => void;
}

/** A bundle loaded and tested, each of its towers in a thread of its own. */
export interface Model {
  readonly bundle: Bundle;
  readonly ref: ModelRef;
  readonly tokenizer: Tokenizer;
  readonly textEncoder: TextEncoder;
  readonly coverEncoder: ImageTower;
  readonly crossEncoder: LocalCrossEncoder | undefined;
  readonly parts: { readonly text: ModelPart; readonly image: ModelPart; readonly rerank: ModelPart | undefined };
  close(): Promise<void>;
}

const MAX_DEFAULT_THREADS = 8;

/** Verifies the bundle in `dir`, loads its graphs and runs its self-test. Fails with `invalid_bundle`. */
export async function openModel(dir: string, options: ModelOptions): Promise<Model> {
  const bundle = await openBundle(dir);
  const parts = await startParts(bundle, options);
  try {
    await runSelfTest(bundle, parts);
    const model = assemble(bundle, parts, options);
    await model.crossEncoder?.warmUp();
    return model;
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

/** The bundle's tokenizer alone; needs no graph. */
export function openTokenizer(bundle: Bundle): Tokenizer {
  const { tokenizer } = bundle.manifest;
  return createTokenizer({
    vocabFile: bundle.path(tokenizer.vocab),
    contextLength: tokenizer.context_length,
    lowerCase: tokenizer.lower_case,
    maxWordCharacters: tokenizer.max_word_characters,
    specialTokensInText: tokenizer.special_tokens_in_text,
  });
}

async function startParts(
  bundle: Bundle,
  { threads, loadReranker = true, onDeath }: ModelOptions,
): Promise<Model['parts']> {
  const cores = os.availableParallelism();
  const common = { bundle, background: false };
  const report = (name: string) => ({ name, onDeath: (error: Error) => onDeath?.(name, error) });
  const started = await Promise.allSettled([
    startModelPart({
      ...common,
      ...report('text tower'),
      graphs: ['text'],
      threads: threads.text || Math.min(cores, MAX_DEFAULT_THREADS),
    }),
    startModelPart({
      ...common,
      ...report('image tower'),
      graphs: ['preprocess', 'image'],
      threads: threads.image || Math.max(1, Math.floor(cores / 2)),
      background: true,
    }),
    bundle.manifest.rerank === null || !loadReranker
      ? undefined
      : startModelPart({
          ...common,
          ...report('cross-encoder'),
          graphs: ['rerank'],
          threads: threads.rerank || Math.min(cores, MAX_DEFAULT_THREADS),
        }),
  ]);
  const failed = started.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    for (const outcome of started) if (outcome.status === 'fulfilled') await outcome.value?.close();
    throw failed.reason;
  }
  const [text, image, rerank] = started.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : undefined));
  return { text: text as ModelPart, image: image as ModelPart, rerank };
}

function assemble(bundle: Bundle, parts: Model['parts'], { limits }: ModelOptions): Model {
  const { manifest, ref } = bundle;
  const tokenizer = openTokenizer(bundle);
  return {
    bundle,
    ref,
    tokenizer,
    parts,
    textEncoder: createTextEncoder({
      model: ref,
      tokenizer,
      part: parts.text,
      embeddingDim: manifest.embedding_dim,
      maxQueued: limits.text_queue,
      maxBatchTokens: limits.text_batch_tokens,
      cacheEntries: limits.query_cache,
    }),
    coverEncoder: createCoverEncoder({
      model: ref,
      manifest,
      part: parts.image,
      maxQueued: limits.image_queue,
      maxBatch: limits.image_batch,
      maxPixels: limits.image_max_pixels,
    }),
    crossEncoder:
      parts.rerank === undefined
        ? undefined
        : createCrossEncoder({
            model: ref,
            manifest,
            tokenizer,
            part: parts.rerank,
            maxQueued: limits.rerank_queue,
            maxBatchPairs: limits.rerank_batch_pairs,
          }),
    close: () => closeParts(parts),
  };
}

async function closeParts(parts: Model['parts']): Promise<void> {
  await Promise.all([parts.text.close(), parts.image.close(), parts.rerank?.close()]);
}
