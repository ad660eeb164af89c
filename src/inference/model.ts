import type { ModelRef } from '../core/types.ts';
import { type Bundle, openBundle } from './bundle.ts';
import type { ImageTower } from './cover-encoder.ts';
import { createCrossEncoder, type LocalCrossEncoder } from './cross-encoder.ts';
import type { ModelPart } from './model-part.ts';
import { closeParts, type PartOptions, partsShareCores, startParts } from './model-parts.ts';
import { runSelfTest } from './self-test.ts';
import { createTextEncoder, type TextEncoder } from './text-encoder.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export interface ModelOptions extends PartOptions {
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
  /** False where something else reranks: then the reranker's graph stays unloaded. */
  readonly loadReranker?: boolean;
}

/** A bundle loaded and tested: the image tower, and the reranker where there is one to load. */
export interface Reranker {
  readonly bundle: Bundle;
  readonly ref: ModelRef;
  readonly tokenizer: Tokenizer;
  readonly coverEncoder: ImageTower;
  readonly crossEncoder: LocalCrossEncoder | undefined;
  readonly parts: { readonly image: ModelPart; readonly rerank?: ModelPart };
  close(): Promise<void>;
}

/** The same with the text tower, so that it can recall. */
export interface Model extends Reranker {
  readonly textEncoder: TextEncoder;
  readonly parts: Reranker['parts'] & { readonly text: ModelPart };
}

/** Verifies the bundle in `dir`, loads its graphs and runs its self-test. Fails with `invalid_bundle`. */
export async function openModel(dir: string, options: ModelOptions): Promise<Model> {
  const bundle = await openBundle(dir);
  const parts: Model['parts'] = await loadParts(bundle, ['text', 'image', ...rerankerPart(bundle, options)], options);
  return closingOnFailure(parts, async () => {
    const reranker = await testAndAssemble(bundle, parts, options);
    return { ...reranker, parts, textEncoder: textEncoderOf(reranker, parts.text, options) };
  });
}

/** Like `openModel` for a bundle that only reranks what another recalls: its text tower stays unloaded. */
export async function openReranker(dir: string, options: ModelOptions): Promise<Reranker> {
  const bundle = await openBundle(dir);
  const parts: Reranker['parts'] = await loadParts(bundle, ['image', ...rerankerPart(bundle, options)], options);
  return closingOnFailure(parts, () => testAndAssemble(bundle, parts, options));
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

function rerankerPart({ manifest }: Bundle, { loadReranker = true }: ModelOptions): readonly 'rerank'[] {
  return manifest.rerank !== null && loadReranker ? ['rerank'] : [];
}

/** Decoding of pictures takes this thread long to load, so that happens while the others load their graphs. */
const loadParts: typeof startParts = async (...parts) => {
  const [started] = await Promise.all([startParts(...parts), import('./cover-encoder.ts')]);
  return started;
};

async function testAndAssemble(
  bundle: Bundle,
  parts: Reranker['parts'] & { readonly text?: ModelPart },
  options: ModelOptions,
): Promise<Reranker> {
  await runSelfTest(bundle, parts);
  const { limits } = options;
  const { manifest, ref } = bundle;
  const tokenizer = openTokenizer(bundle);
  const { createCoverEncoder } = await import('./cover-encoder.ts');
  const coverEncoder = createCoverEncoder({
    model: ref,
    manifest,
    part: parts.image,
    maxQueued: limits.image_queue,
    maxBatch: limits.image_batch,
    maxPixels: limits.image_max_pixels,
  });
  const crossEncoder =
    parts.rerank === undefined
      ? undefined
      : createCrossEncoder({
          model: ref,
          manifest,
          tokenizer,
          part: parts.rerank,
          sharesCores: partsShareCores(['text', 'rerank'], options),
          maxQueued: limits.rerank_queue,
          maxBatchPairs: limits.rerank_batch_pairs,
        });
  await crossEncoder?.warmUp();
  return { bundle, ref, tokenizer, coverEncoder, crossEncoder, parts, close: () => closeParts(parts) };
}

function textEncoderOf({ bundle, ref, tokenizer }: Reranker, part: ModelPart, { limits }: ModelOptions): TextEncoder {
  return createTextEncoder({
    model: ref,
    tokenizer,
    part,
    embeddingDim: bundle.manifest.embedding_dim,
    maxQueued: limits.text_queue,
    maxBatchTokens: limits.text_batch_tokens,
    cacheEntries: limits.query_cache,
  });
}

async function closingOnFailure<T>(parts: Parameters<typeof closeParts>[0], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}
