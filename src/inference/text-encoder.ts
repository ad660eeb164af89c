import { LRUCache } from 'lru-cache';
import { failure } from '../core/errors.ts';
import type { EncodedQuery, QueryEncoder, Tensor, TensorMap } from '../core/ports.ts';
import type { ModelRef } from '../core/types.ts';
import { type Batched, type Batcher, createBatcher } from './batcher.ts';
import type { ModelPart } from './model-part.ts';
import { createRunCost } from './run-cost.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface TextEncoderDeps {
  readonly model: ModelRef;
  readonly tokenizer: Tokenizer;
  readonly part: ModelPart;
  readonly embeddingDim: number;
  /** Texts that may wait. */
  readonly maxQueued: number;
  /** Padded tokens (longest text x texts) of one batch. */
  readonly maxBatchTokens: number;
  /** Embeddings kept for repeated queries; 0 keeps none. */
  readonly cacheEntries: number;
}

export interface TextEncoder extends QueryEncoder {
  /** For token ids made elsewhere; [embedding_dim], L2-normalised. */
  encodeIds(ids: readonly number[], signal: AbortSignal): Promise<Float32Array>;
  readonly queue: Batcher<readonly number[], Float32Array>;
  readonly cacheHits: number;
  readonly cacheMisses: number;
}

/**
 * The text tower: tokenise, look the ids up among recent queries, otherwise run as one of a batch. Padding never
 * changes a text's embedding, so a batch is padded to its own longest text only.
 */
export function createTextEncoder(deps: TextEncoderDeps): TextEncoder {
  const cache = deps.cacheEntries > 0 ? new LRUCache<string, Float32Array>({ max: deps.cacheEntries }) : undefined;
  let cacheHits = 0;
  let cacheMisses = 0;
  const cost = createRunCost();
  /** Ids of texts that wait or run. */
  let pending = 0;
  let startedAt: number | undefined;

  const queue = createBatcher<readonly number[], Float32Array>({
    name: 'text tower',
    maxQueued: deps.maxQueued,
    fits: (batch, next) =>
      Math.max(next.length, ...batch.map((ids) => ids.length)) * (batch.length + 1) <= deps.maxBatchTokens,
    run: async (batch) => {
      startedAt = performance.now();
      try {
        const embeddings = await embed(batch);
        cost.learn(
          batch.reduce((sum, ids) => sum + ids.length, 0),
          performance.now() - startedAt,
        );
        return embeddings;
      } finally {
        startedAt = undefined;
      }
    },
  });

  async function embed(batch: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const inputs = padTexts(batch);
    const transfer = Object.values(inputs).map((tensor) => tensor.data.buffer as ArrayBuffer);
    const { embedding } = await deps.part.call('run', { graph: 'text', inputs, outputs: ['embedding'] }, transfer);
    return splitEmbeddings(embedding, batch.length, deps.embeddingDim);
  }

  async function submit(ids: readonly number[], signal: AbortSignal): Promise<Batched<Float32Array>> {
    pending += ids.length;
    try {
      return await queue.submit(ids, signal);
    } finally {
      pending -= ids.length;
    }
  }

  function aheadMs(): number {
    const ranMs = startedAt === undefined ? 0 : performance.now() - startedAt;
    return pending === 0 ? 0 : Math.max(0, cost.of(pending) - ranMs);
  }

  async function encode(text: string, signal: AbortSignal): Promise<EncodedQuery> {
    const askedAt = performance.now();
    const { ids, truncated } = deps.tokenizer.tokenize(text);
    const tokenizeMs = performance.now() - askedAt;
    const key = ids.join(' ');
    const known = cache?.get(key);
    if (known !== undefined) {
      cacheHits += 1;
      return { embedding: known, truncated, timings: { tokenizeMs, queueMs: 0, embedMs: 0 } };
    }
    cacheMisses += 1;
    const { result, queueMs, runMs } = await submit(ids, signal);
    cache?.set(key, result);
    return { embedding: result, truncated, timings: { tokenizeMs, queueMs, embedMs: runMs } };
  }

  return {
    model: deps.model,
    encode,
    aheadMs,
    encodeIds: async (ids, signal) => (await submit(ids, signal)).result,
    queue,
    get cacheHits() {
      return cacheHits;
    },
    get cacheMisses() {
      return cacheMisses;
    },
  };
}

/** input_ids and attention_mask, [texts, length], padded with 0; as long as the longest unless `length` is given. */
export function padTexts(
  texts: readonly (readonly number[])[],
  length = Math.max(...texts.map((ids) => ids.length)),
): TensorMap {
  const ids = new BigInt64Array(texts.length * length);
  const mask = new Int32Array(texts.length * length);
  texts.forEach((text, row) => {
    text.forEach((id, column) => {
      ids[row * length + column] = BigInt(id);
      mask[row * length + column] = 1;
    });
  });
  const dims = [texts.length, length];
  return {
    input_ids: { type: 'int64', dims, data: ids },
    attention_mask: { type: 'int32', dims, data: mask },
  };
}

/** One embedding per row; a number that is not finite is an error, never a score. */
export function splitEmbeddings(tensor: Tensor | undefined, rows: number, dim: number): Float32Array[] {
  const data = tensor?.data;
  if (!(data instanceof Float32Array) || data.length !== rows * dim) {
    throw failure('internal', 'The model gave an embedding of another shape than its bundle says.');
  }
  return Array.from({ length: rows }, (_, row) => {
    const embedding = data.slice(row * dim, (row + 1) * dim);
    if (!embedding.every(Number.isFinite)) throw failure('internal', 'The model gave an embedding that is not finite.');
    return embedding;
  });
}
