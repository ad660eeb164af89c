import type { BundleManifest } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { CrossEncoder, PreparedQuery, Tensor, TensorMap } from '../core/ports.ts';
import type { ImageTokens, ModelRef, Signals } from '../core/types.ts';
import { evenPortion, halvedUntil } from './chunk-size.ts';
import type { ModelPart } from './model-part.ts';
import { createPairQueue, type PairSlice } from './pair-queue.ts';
import { createRunCost } from './run-cost.ts';
import { padTexts } from './text-encoder.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface CrossEncoderDeps {
  readonly model: ModelRef;
  readonly manifest: BundleManifest;
  readonly tokenizer: Tokenizer;
  readonly part: Pick<ModelPart, 'call'>;
  /** Whether it computes on the cores that queries' texts need. */
  readonly sharesCores: boolean;
  /** Callers that may wait. */
  readonly maxQueued: number;
  /** Pairs of one run of the graph, of one or several queries. */
  readonly maxBatchPairs: number;
  /** Milliseconds that a run should take. */
  readonly runTargetMs?: number;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

export interface LocalCrossEncoder extends CrossEncoder {
  /** Learns what a pair costs, so that the first deadline can be judged as well as later ones. */
  warmUp(): Promise<void>;
}

/**
 * A run takes about this long: long enough that what surrounds it weighs little, short enough that a query whose deadline
 * is near gets its turn.
 */
const RUN_TARGET_MS = 60;
/** A run may take longer where what it costs beside its pairs would else be more than this share of it. */
const RUN_SHARE = 0.07;
/** A chunk takes at most this share of what is left of its deadline, so that a run slower than thought costs little… */
const CHUNK_SHARE = 1 / 3;
/** …unless it is as small as this, and pairs in smaller ones would cost more each. */
const SMALL_CHUNK_MS = 15;
const SMALL_CHUNK = 4;
/** While texts run, pairs have the share of the cores that their threads' `nice` value leaves them: 1.25^-5 of a text's. */
const SLOWER_BESIDE_TEXTS = 4;
const LENT = ['tokens_int8', 'token_scale'];
const WARM_UP_PAIRS = 16;
const WARM_UP_RUNS = 2;

/** The bundle's own reranker in a worker thread; pairs of several queries share a run under the pair budget. */
export function createCrossEncoder(deps: CrossEncoderDeps): LocalCrossEncoder {
  const { manifest, tokenizer, runTargetMs = RUN_TARGET_MS, now = () => performance.now() } = deps;
  const { rerank, tokens } = manifest;
  if (rerank === null || tokens === null) throw failure('invalid_bundle', 'The bundle has no reranker.');
  const { signals, context_length: contextLength } = rerank;
  const blank: ImageTokens = {
    values: new Int8Array(tokens.count * tokens.width),
    scales: new Float32Array(tokens.count),
  };
  const cost = createRunCost();
  let space: TokenSpace = {};

  const queue = createPairQueue({
    name: 'cross-encoder',
    now,
    maxQueued: deps.maxQueued,
    maxInFlight: 1,
    batchPairs: runPairs,
    run: async ({ slices, pairs }) => {
      const startedAt = performance.now();
      const inputs = rerankInputs(slices, manifest, space);
      const transfer = Object.values(inputs).map((tensor) => tensor.data.buffer as ArrayBuffer);
      space = {};
      const outputs = await deps.part.call('run', { graph: 'rerank', inputs, lent: LENT }, transfer);
      space = { values: outputs['tokens_int8']?.data.buffer, scales: outputs['token_scale']?.data.buffer };
      cost.learn(pairs, performance.now() - startedAt);
      return signalsOf(outputs, signals, pairs);
    },
  });

  function prepare(text: string): PreparedQuery {
    return { tokenIds: tokenizer.tokenizeTo(text, contextLength).ids };
  }

  function runPairs(): number {
    return cost.isKnown ? Math.min(deps.maxBatchPairs, cost.pairsFor(runTargetMs, RUN_SHARE)) : deps.maxBatchPairs;
  }

  /** Until `pairs` more are through. */
  function estimateMs(pairs: number): number {
    return cost.of(queue.running().pairs + queue.ahead(pairs) + pairs);
  }

  /** When pairs are through that need `pairsMs`: behind the texts, unless their small share of the cores is enough. */
  function besideTexts(pairsMs: number, textsMs: number): number {
    return deps.sharesCores ? Math.min(pairsMs + textsMs, pairsMs * SLOWER_BESIDE_TEXTS) : pairsMs;
  }

  /** The shortest of some runs of blank pairs, in milliseconds. The first pays for memory and does not count. */
  async function timeRuns(pairs: number): Promise<number> {
    const images = new Array<ImageTokens>(pairs).fill(blank);
    const query = prepare('');
    let shortest = Number.POSITIVE_INFINITY;
    for (let run = 0; run <= WARM_UP_RUNS; run++) {
      const startedAt = performance.now();
      await queue.submit({ query, images, signal: new AbortController().signal, deadlineAt: Number.POSITIVE_INFINITY });
      if (run > 0) shortest = Math.min(shortest, performance.now() - startedAt);
    }
    return shortest;
  }

  return {
    model: deps.model,
    signals,
    prepare,
    fittingPairs(pairs, remainingMs, textsMs = 0) {
      const most = Math.min(pairs, runPairs());
      const quickMs = Math.max(SMALL_CHUNK_MS, remainingMs * CHUNK_SHARE);
      const size = halvedUntil((size) => size <= SMALL_CHUNK || cost.of(size) <= quickMs, most);
      const fitting = halvedUntil((size) => besideTexts(estimateMs(size), textsMs) <= remainingMs, size);
      if (fitting > 0) return evenPortion(pairs, fitting);
      // Beside texts a run says little of what it takes alone, and it would make them late.
      const isAlone = !deps.sharesCores || textsMs === 0;
      return remainingMs > 0 && isAlone && queue.isRested() ? 1 : 0;
    },
    async warmUp() {
      const oneMs = await timeRuns(1);
      const pairs = Math.min(WARM_UP_PAIRS, deps.maxBatchPairs, Math.floor(runTargetMs / oneMs));
      if (pairs > 1) cost.calibrate(oneMs, pairs, await timeRuns(pairs));
    },
    score: (query, images, signal, { remainingMs = Number.POSITIVE_INFINITY } = {}) =>
      queue.submit({ query, images, signal, deadlineAt: now() + remainingMs }),
  };
}

/** Memory of an earlier run's tokens: megabytes that the system would else have to find anew for every run. */
interface TokenSpace {
  readonly values?: ArrayBufferLike | undefined;
  readonly scales?: ArrayBufferLike | undefined;
}

/**
 * The rerank graph's inputs (see the bundle format): T different texts, P pairs with the number of their text, and the P
 * covers' tokens one after the other, in `space` where that is large enough.
 */
export function rerankInputs(
  slices: readonly PairSlice[],
  manifest: BundleManifest,
  space: TokenSpace = {},
): TensorMap {
  const { count = 0, width = 0 } = manifest.tokens ?? {};
  const pairs = slices.reduce((sum, { images }) => sum + images.length, 0);
  const distinct = new Map(slices.map(({ query }) => [query.tokenIds.join(' '), query.tokenIds]));
  const texts = [...distinct.keys()];
  const pairText = new BigInt64Array(pairs);
  const values = new Int8Array(roomFor(pairs * count * width, space.values), 0, pairs * count * width);
  const scales = new Float32Array(roomFor(4 * pairs * count, space.scales), 0, pairs * count);
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

function roomFor(bytes: number, space: ArrayBufferLike | undefined): ArrayBufferLike {
  return space !== undefined && space.byteLength >= bytes ? space : new ArrayBuffer(bytes);
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
