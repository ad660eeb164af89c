import type { BundleManifest } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { CrossEncoder, Tensor, TensorMap } from '../core/ports.ts';
import type { ImageTokens, ModelRef, Signals } from '../core/types.ts';
import type { ModelPart } from './model-part.ts';
import { createPairQueue, type PairSlice } from './pair-queue.ts';
import { padTexts } from './text-encoder.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface CrossEncoderDeps {
  readonly model: ModelRef;
  readonly manifest: BundleManifest;
  readonly tokenizer: Tokenizer;
  readonly part: Pick<ModelPart, 'call'>;
  /** Callers that may wait. */
  readonly maxQueued: number;
  /** Pairs of one run of the graph, of one or several queries. */
  readonly maxBatchPairs: number;
}

export interface LocalCrossEncoder extends CrossEncoder {
  /** Learns what a pair costs, so that the first deadline can be judged as well as later ones. */
  warmUp(): Promise<void>;
}

/** A chunk should take about this long, so that queries take turns and a deadline is missed by little. */
const CHUNK_TARGET_MS = 15;
const MIN_CHUNK = 4;
const WARM_UP_PAIRS = 16;
/** Weight of the newest run in the running mean of milliseconds per pair. */
const COST_SMOOTHING = 0.2;

/** The bundle's own reranker in a worker thread; pairs of several queries share a run under the pair budget. */
export function createCrossEncoder(deps: CrossEncoderDeps): LocalCrossEncoder {
  const { manifest, tokenizer } = deps;
  const { rerank, tokens } = manifest;
  if (rerank === null || tokens === null) throw failure('invalid_bundle', 'The bundle has no reranker.');
  let pairMs: number | undefined;

  const queue = createPairQueue({
    name: 'cross-encoder',
    maxQueued: deps.maxQueued,
    maxInFlight: 1,
    batchPairs: () => deps.maxBatchPairs,
    run: async ({ slices, pairs }) => {
      const startedAt = performance.now();
      const inputs = rerankInputs(slices, manifest);
      const transfer = Object.values(inputs).map((tensor) => tensor.data.buffer as ArrayBuffer);
      const outputs = await deps.part.call('run', { graph: 'rerank', inputs }, transfer);
      const measured = (performance.now() - startedAt) / pairs;
      pairMs = pairMs === undefined ? measured : pairMs + COST_SMOOTHING * (measured - pairMs);
      return signalsOf(outputs, rerank.signals, pairs);
    },
  });

  return {
    model: deps.model,
    signals: rerank.signals,
    prepare: (text) => ({ tokenIds: tokenizer.tokenizeTo(text, rerank.context_length).ids }),
    get chunkSize() {
      if (pairMs === undefined) return MIN_CHUNK;
      // A pair that takes longer alone goes alone: a deadline of a few pairs would else hold no chunk at all.
      if (pairMs > CHUNK_TARGET_MS) return 1;
      const pairs = 2 ** Math.floor(Math.log2(CHUNK_TARGET_MS / pairMs));
      return Math.max(MIN_CHUNK, Math.min(deps.maxBatchPairs, pairs));
    },
    estimateMs: (pairs) => (queue.running().pairs + queue.ahead(pairs) + pairs) * (pairMs ?? 0),
    async warmUp() {
      const blank: ImageTokens = {
        values: new Int8Array(tokens.count * tokens.width),
        scales: new Float32Array(tokens.count),
      };
      const images = new Array<ImageTokens>(WARM_UP_PAIRS).fill(blank);
      // The first run pays for memory and is no measure.
      for (let run = 0; run < 2; run++) {
        pairMs = undefined;
        await this.score(this.prepare(''), images, new AbortController().signal);
      }
    },
    score: (query, images, signal, { remainingMs = Number.POSITIVE_INFINITY } = {}) =>
      queue.submit({ query, images, signal, deadlineAt: performance.now() + remainingMs }),
  };
}

/**
 * The rerank graph's inputs (see the bundle format): T different texts, P pairs with the number of their text, and the P
 * covers' tokens one after the other.
 */
export function rerankInputs(slices: readonly PairSlice[], manifest: BundleManifest): TensorMap {
  const { count = 0, width = 0 } = manifest.tokens ?? {};
  const pairs = slices.reduce((sum, { images }) => sum + images.length, 0);
  const distinct = new Map(slices.map(({ query }) => [query.tokenIds.join(' '), query.tokenIds]));
  const texts = [...distinct.keys()];
  const pairText = new BigInt64Array(pairs);
  const values = new Int8Array(pairs * count * width);
  const scales = new Float32Array(pairs * count);
  let pair = 0;
  for (const { query, images } of slices) {
    const text = BigInt(texts.indexOf(query.tokenIds.join(' ')));
    for (const image of images) {
      pairText[pair] = text;
      values.set(image.values, pair * count * width);
      scales.set(image.scales, pair * count);
      pair += 1;
    }
  }
  return {
    ...rerankTexts([...distinct.values()], manifest),
    pair_text: { type: 'int64', dims: [pairs], data: pairText },
    tokens_int8: { type: 'int8', dims: [pairs, count, width], data: values },
    token_scale: { type: 'float32', dims: [pairs, count], data: scales },
  };
}

/** Texts padded to their longest and masked where the graph takes a mask, otherwise padded as it was trained with. */
export function rerankTexts(texts: readonly (readonly number[])[], { graphs, rerank }: BundleManifest): TensorMap {
  const masked = graphs.rerank?.inputs.some(({ name }) => name === 'attention_mask') === true;
  if (masked) return padTexts(texts);
  const { input_ids: ids } = padTexts(texts, rerank?.context_length);
  if (ids === undefined) throw failure('internal', 'There is no text to rerank with.');
  return { input_ids: ids };
}

function signalsOf(outputs: TensorMap, names: readonly string[], pairs: number): Signals[] {
  const columns = names.map((name) => [name, scores(outputs[name], pairs)] as const);
  return Array.from({ length: pairs }, (_, pair) =>
    Object.fromEntries(columns.map(([name, column]) => [name, column[pair] ?? Number.NaN])),
  );
}

/** One score per pair. */
function scores(tensor: Tensor | undefined, pairs: number): Float32Array {
  const data = tensor?.data;
  if (!(data instanceof Float32Array) || data.length !== pairs) {
    throw failure('internal', 'The cross-encoder gave scores of another shape than its bundle says.');
  }
  return data;
}
