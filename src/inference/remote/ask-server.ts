import type { BundleManifest } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import { servedModelName } from '../../core/served-model.ts';
import { createInferenceServer, type InferenceServer, parseServedAt } from './inference-server.ts';
import { checkServedModel, type ServedModel } from './served-model.ts';

const PATIENCE_MS = 5000;

/** Rejects with `unavailable` when server or model are not ready, and with `invalid_config` when the model is another. */
export async function findServedModel(
  server: InferenceServer,
  manifest: BundleManifest,
  signal: AbortSignal,
): Promise<ServedModel> {
  await server.assertReady(signal);
  return checkServedModel(manifest, await server.metadata(signal), await server.config(signal));
}

/**
 * What the server behind a `rerank_url` says of the bundle's reranker, asked once. Rejects as `findServedModel` does, and
 * with `invalid_bundle` when the bundle has no reranker.
 */
export async function askRerankServer(url: string, manifest: BundleManifest): Promise<ServedModel> {
  if (manifest.rerank === null) throw failure('invalid_bundle', `The bundle ${manifest.name} has no reranker.`);
  const server = createInferenceServer({ at: parseServedAt(url, servedModelName(manifest.name)), connections: 1 });
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    return await findServedModel(server, manifest, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw failure('unavailable', `It takes the connection and says nothing for ${PATIENCE_MS / 1000} s.`);
  } finally {
    await server.close();
  }
}
