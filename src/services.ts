import os from 'node:os';
import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { BundleManifest } from './core/bundle-format.ts';
import { failure } from './core/errors.ts';
import type { OpenGraph } from './core/ports.ts';
import type { AppServices, HealthPart } from './http/app-services.ts';
import { createImageFetcher } from './indexing/fetch-image.ts';
import { createCoverIndexer } from './indexing/index-covers.ts';
import { readManifest } from './inference/bundle.ts';
import { type Model, openModel } from './inference/model.ts';
import { openRemoteCrossEncoder, type RemoteCrossEncoder, type RemoteEvent } from './inference/remote-cross-encoder.ts';
import { loadGraph } from './inference/session.ts';
import type { FusionWeights } from './ranking/fuse.ts';
import { createRanker } from './ranking/rank.ts';
import { createPairScorer } from './ranking/score.ts';
import { type CoverIndexOptions, type OpenedCoverIndex, openCoverIndex } from './store/cover-index.ts';
import type { CoverIndexEvent } from './store/graph-client.ts';

export { openBundle } from './inference/bundle.ts';
export { openModel } from './inference/model.ts';
export { type ExactFeatures, type OfflineModel, openOfflineModel } from './inference/offline-model.ts';
export { restoreSnapshot } from './store/snapshot.ts';
export { verifyDataDir } from './store/verify.ts';

/** The service's parts, wired. This is the only place that knows them all. */
export interface Services extends AppServices {
  readonly model: Model;
  close(): Promise<void>;
}

/**
 * Loads the model and opens the data folder side by side, then puts the rest on top of them. Rejects with
 * `invalid_bundle`, `bundle_mismatch`, `data_dir_busy` or `corrupt_data`, with nothing left open.
 */
export async function createServices(config: Config, log: Logger): Promise<Services> {
  const manifest = readManifest(config.model);
  const weights = fusionWeights(config, manifest);
  const [model, index] = await bothOrNeither(
    openModel(config.model, {
      threads: config.threads,
      limits: config.limits,
      loadReranker: config.rerank_url === '',
      onDeath: (part, error) => log.error({ err: error, part }, 'a model thread died and is being started again'),
    }),
    openCoverIndex({ ...indexOptions(config, manifest), onEvent: (event) => logIndexEvent(log, event) }),
  );
  const fetcher = createImageFetcher({
    allow: config.fetch.allow,
    concurrency: config.fetch.concurrency,
    perHost: config.fetch.per_host,
    maxBytes: config.limits.image_max_bytes,
  });
  const rerankServer = await openRerankServer(config, model, log).catch(async (error: Error) => {
    await Promise.all([index.close(), model.close(), fetcher.close()]);
    throw error;
  });
  const { textEncoder: queryEncoder, coverEncoder } = model;
  const crossEncoder = rerankServer ?? model.crossEncoder;

  return {
    model,
    index,
    queryEncoder,
    coverEncoder,
    rerankServer,
    ranker: createRanker({ queryEncoder, index, crossEncoder, weights }),
    scorer: createPairScorer({ queryEncoder, coverEncoder, crossEncoder, index, fetcher, weights }),
    indexer: createCoverIndexer({ index, encoder: coverEncoder, fetcher, embeddingDim: manifest.embedding_dim }),
    health: () => healthOf(model, rerankServer, index),
    async close() {
      await index.close();
      await rerankServer?.close();
      await model.close();
      await fetcher.close();
    },
  };
}

/**
 * The data folder alone, bound to the configured bundle, whose graphs are not loaded. Rejects with `invalid_bundle`,
 * `bundle_mismatch`, `data_dir_busy` or `corrupt_data`.
 */
export async function openIndex(config: Config): Promise<OpenedCoverIndex> {
  return openCoverIndex(indexOptions(config, readManifest(config.model)));
}

function indexOptions({ data_dir, index }: Config, manifest: BundleManifest): CoverIndexOptions {
  return {
    dataDir: data_dir,
    bundle: { name: manifest.name, hash: manifest.hash },
    embeddingDim: manifest.embedding_dim,
    tokens: manifest.tokens,
    snapshotEveryWrites: index.snapshot_every_writes,
    efSearch: index.ef_search,
  };
}

/** Runs a graph on the calling thread, for commands that have nothing else to do meanwhile. */
export const openGraph: OpenGraph = (file) => loadGraph(file, { threads: os.availableParallelism() });

/** The configuration's weights, or the bundle's own where it has none. */
function fusionWeights({ fusion }: Config, manifest: BundleManifest): FusionWeights {
  if (Object.keys(fusion).length === 0) return manifest.fusion;
  const unknown = Object.keys(fusion).filter((signal) => !manifest.signals.includes(signal));
  if (unknown.length === 0) return fusion;
  const offered = manifest.signals.join(', ');
  throw failure(
    'invalid_config',
    `fusion weighs ${unknown.join(', ')}, but the bundle ${manifest.name} offers ${offered}.`,
  );
}

interface Closable {
  close(): Promise<void>;
}

/** When one of the two cannot be had the other is closed again. */
async function bothOrNeither<A extends Closable, B extends Closable>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value];
  if (first.status === 'fulfilled') await first.value.close();
  if (second.status === 'fulfilled') await second.value.close();
  throw first.status === 'rejected' ? first.reason : (second as PromiseRejectedResult).reason;
}

/** The server of `rerank_url`; undefined where none is configured. */
async function openRerankServer(config: Config, model: Model, log: Logger): Promise<RemoteCrossEncoder | undefined> {
  const { rerank_url, rerank_timeout_ms, limits } = config;
  if (rerank_url === '') return undefined;
  const { manifest } = model.bundle;
  if (manifest.rerank === null) {
    throw failure('invalid_config', `rerank_url is set, but the bundle ${manifest.name} has no reranker.`);
  }
  return openRemoteCrossEncoder({
    url: rerank_url,
    model: model.ref,
    manifest,
    tokenizer: model.tokenizer,
    timeoutMs: rerank_timeout_ms,
    maxBatchPairs: limits.rerank_batch_pairs,
    maxInFlight: limits.rerank_in_flight,
    maxQueued: limits.rerank_queue,
    onEvent: (event) => logRerankEvent(log, event),
  });
}

function healthOf(
  { parts }: Model,
  rerankServer: RemoteCrossEncoder | undefined,
  index: OpenedCoverIndex,
): HealthPart[] {
  const { state } = index.status().graph;
  const tower = (name: string, ready: boolean, required: boolean): HealthPart => ({
    name,
    ready,
    required,
    detail: ready ? 'loaded' : 'starting again',
  });
  return [
    tower('text tower', parts.text.ready, true),
    tower('image tower', parts.image.ready, false),
    ...(parts.rerank === undefined ? [] : [tower('cross-encoder', parts.rerank.ready, false)]),
    ...(rerankServer === undefined ? [] : [rerankServerPart(rerankServer)]),
    { name: 'graph', ready: state === 'ready' || state === 'rebuilding', required: true, detail: state },
  ];
}

function rerankServerPart(rerankServer: RemoteCrossEncoder): HealthPart {
  const { server, breaker } = rerankServer.status();
  const detail = server === 'serving' && breaker !== 'closed' ? 'left alone after failures' : server;
  return { name: 'cross-encoder', ready: server === 'serving' && breaker === 'closed', required: false, detail };
}

function logRerankEvent(log: Logger, happened: RemoteEvent): void {
  const { event } = happened;
  if (event === 'rerank_hash_unknown') log.warn({ event }, 'the reranking server does not tell which bundle it serves');
  else if (event === 'rerank_call_failed') log.warn({ event, err: happened.error }, 'the reranking server failed');
  else if (event === 'rerank_breaker') log.warn({ event, state: happened.state }, 'the circuit breaker changed');
  else if (happened.error === undefined) log.info({ event, state: happened.state }, 'the reranking server is there');
  else log.error({ event, state: happened.state, err: happened.error }, 'the reranking server cannot be used');
}

function logIndexEvent(log: Logger, event: CoverIndexEvent): void {
  const { event: name, ...details } = event;
  if ('error' in details) log.error({ event: name, err: details.error }, 'the index had to help itself');
  else log.info({ event: name, ...details }, 'index maintenance');
}
