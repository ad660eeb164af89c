import type { BundleManifest } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import type { PreparedQuery, TensorMap } from '../../core/ports.ts';
import type { ImageTokens, Signals } from '../../core/types.ts';
import { layOutRequest, type TensorSpec } from './inference-protocol.ts';
import type { InferenceServer } from './inference-server.ts';
import type { SharedPlace } from './shared-tokens.ts';

const TOKENS = 'tokens_int8';

/** One query with some images, as one call to an exported reranker. */
export interface PairCall {
  readonly query: PreparedQuery;
  readonly images: readonly ImageTokens[];
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

/** The signals of every pair, in order. Rejects as `InferenceServer.infer` does; scores that are not finite are `internal`. */
export async function scorePairs(
  server: InferenceServer,
  manifest: BundleManifest,
  { query, images, timeoutMs, sharedTokens }: PairCall,
  signal: AbortSignal,
): Promise<Signals[]> {
  const names = manifest.rerank?.signals ?? [];
  const timeout = Math.max(1, Math.floor(timeoutMs * 1000));
  const specs = pairSpecs(manifest, images.length).map((spec) =>
    spec.name === TOKENS && sharedTokens !== undefined ? { ...spec, shared: sharedTokens } : spec,
  );
  const request = layOutRequest(specs, names, { timeout });
  fillPairs(request.inputs, query, images);
  const outputs = await server.infer(request, signal);
  const columns = names.map((name) => [name, checkedScores(outputs.get(name), images.length)] as const);
  return images.map((_, pair) =>
    Object.fromEntries(columns.map(([name, scores]) => [name, scores[pair] ?? Number.NaN])),
  );
}

/** Every pair has the query's ids, padded with 0, and its image's tokens, unless these are shared. */
function fillPairs(inputs: TensorMap, { tokenIds }: PreparedQuery, images: readonly ImageTokens[]): void {
  const { input_ids: ids, token_scale: scales, [TOKENS]: tokens } = inputs;
  const text = tokenIds.map(BigInt);
  for (const [pair, image] of images.entries()) {
    if (ids?.data instanceof BigInt64Array) ids.data.set(text, (pair * ids.data.length) / images.length);
    if (scales?.data instanceof Float32Array) scales.data.set(image.scales, pair * image.scales.length);
    if (tokens?.data instanceof Int8Array) tokens.data.set(image.values, pair * image.values.length);
  }
}

function checkedScores(scores: Float32Array | undefined, pairs: number): Float32Array {
  if (scores?.length !== pairs) {
    throw failure('internal', 'The reranking server gave scores of another shape than its model says.');
  }
  if (!scores.every(Number.isFinite)) {
    throw failure('internal', 'The reranking server gave a score that is not finite.');
  }
  return scores;
}
