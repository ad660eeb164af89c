import type { BundleManifest } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import type { TensorMap } from '../../core/ports.ts';
import type { Signals } from '../../core/types.ts';
import { isFiniteScore, type PairSlice } from '../pair-queue.ts';
import { layOutRequest, type TensorSpec } from './inference-protocol.ts';
import type { InferenceServer } from './inference-server.ts';
import type { SharedPlace } from './shared-tokens.ts';

const TOKENS = 'tokens_int8';

/** Pairs of one or several queries, as one call to an exported reranker. */
export interface PairCall {
  readonly slices: readonly PairSlice[];
  /** Told to the server, so that it does not work on what nobody waits for any more. */
  readonly timeoutMs: number;
  /** Where the images' tokens already lie for the server; without it they are sent. */
  readonly sharedTokens?: SharedPlace | undefined;
}

/** The tensors of a call with P pairs: input_ids [P, L], tokens_int8 [P, N, W], token_scale [P, N]. */
export function pairSpecs({ name, rerank, tokens }: BundleManifest, pairs: number): TensorSpec[] {
  if (rerank === null || tokens === null) throw failure('invalid_bundle', `The bundle ${name} has no reranker.`);
  return [
    { name: 'input_ids', type: 'int64', dims: [pairs, rerank.context_length] },
    { name: 'token_scale', type: 'float32', dims: [pairs, tokens.count] },
    { name: TOKENS, type: 'int8', dims: [pairs, tokens.count, tokens.width] },
  ];
}

/**
 * The signals of every pair, in order. Rejects as `InferenceServer.infer` does, and with `internal` when no slice has
 * finite scores throughout: then the server is at fault, and not one query or picture.
 */
export async function scorePairs(
  server: InferenceServer,
  manifest: BundleManifest,
  { slices, timeoutMs, sharedTokens }: PairCall,
  signal: AbortSignal,
): Promise<Signals[]> {
  const names = manifest.rerank?.signals ?? [];
  const pairs = slices.reduce((sum, { images }) => sum + images.length, 0);
  const timeout = Math.max(1, Math.floor(timeoutMs * 1000));
  const specs = pairSpecs(manifest, pairs).map((spec) =>
    spec.name === TOKENS && sharedTokens !== undefined ? { ...spec, shared: sharedTokens } : spec,
  );
  const request = layOutRequest(specs, names, { timeout });
  fillPairs(request.inputs, slices, pairs);
  // A call has one parent: of several queries the first is told.
  const outputs = await server.infer(request, signal, slices.find(({ trace }) => trace !== undefined)?.trace);
  const columns = names.map((name) => [name, checkedScores(outputs.get(name), pairs)] as const);
  const signals = Array.from({ length: pairs }, (_, pair) =>
    Object.fromEntries(columns.map(([name, scores]) => [name, scores[pair] ?? Number.NaN])),
  );
  if (hasFiniteSlice(signals, slices)) return signals;
  throw failure('internal', 'The reranking server gave a score that is not finite.');
}

/** Every pair has its query's ids, padded with 0, and its image's tokens, unless these are shared. */
function fillPairs(inputs: TensorMap, slices: readonly PairSlice[], pairs: number): void {
  const { input_ids: ids, token_scale: scales, [TOKENS]: tokens } = inputs;
  let pair = 0;
  for (const { query, images } of slices) {
    const text = query.tokenIds.map(BigInt);
    for (const image of images) {
      if (ids?.data instanceof BigInt64Array) ids.data.set(text, (pair * ids.data.length) / pairs);
      if (scales?.data instanceof Float32Array) scales.data.set(image.scales, pair * image.scales.length);
      if (tokens?.data instanceof Int8Array) tokens.data.set(image.values, pair * image.values.length);
      pair += 1;
    }
  }
}

function checkedScores(scores: Float32Array | undefined, pairs: number): Float32Array {
  if (scores?.length !== pairs) {
    throw failure('internal', 'The reranking server gave scores of another shape than its model says.');
  }
  return scores;
}

function hasFiniteSlice(signals: readonly Signals[], slices: readonly PairSlice[]): boolean {
  let first = 0;
  return slices.some(({ images }) => {
    const own = signals.slice(first, first + images.length);
    first += images.length;
    return own.every(isFiniteScore);
  });
}
