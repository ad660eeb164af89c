import { createHash } from 'node:crypto';
import os from 'node:os';
import type { Logger } from 'pino';
import type { Config } from './config-schema.ts';
import type { BundleManifest } from './core/bundle-format.ts';
import { failure } from './core/errors.ts';
import type { CoverEncoder, OpenGraph } from './core/ports.ts';
import type { ModelRef } from './core/types.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import type { AppServices, HealthPart } from './http/app-services.ts';
import { createCoverIndexer } from './indexing/index-covers.ts';
import { readManifest } from './inference/bundle.ts';
import { type Model, openModel, openReranker, type Reranker } from './inference/model.ts';
import type { ModelPart } from './inference/model-part.ts';
import { createPairedCoverEncoder } from './inference/paired-cover-encoder.ts';
import type { RemoteCrossEncoder } from './inference/remote-cross-encoder.ts';
import { fusionWeights, offeredSignals, type RankingBundles, rankingBundles } from './ranking/fusion-weights.ts';
import { createRanker } from './ranking/rank.ts';
import { createPairScorer } from './ranking/score.ts';
import { type CoverIndexOptions, type OpenedCoverIndex, openCoverIndex } from './store/cover-index.ts';
import { type FoundData, inspectDataDir } from './store/data-dir/inspect-data-dir.ts';

export { openBundle, readManifest } from './inference/bundle.ts';
export { type Model, openModel, openReranker, type Reranker } from './inference/model.ts';
export type { ExactFeatures, OfflineModel } from './inference/offline-model.ts';
export { restoreSnapshot } from './store/data-dir/snapshot.ts';
export { verifyDataDir } from './store/data-dir/verify.ts';

/** The service's parts, wired. This is the only place that knows them all. */
export interface Services extends AppServices {
  readonly model: Model;
  close(): Promise<void>;
}

/**
 * Loads the models and opens the data folder side by side, then puts the rest on top of them. Rejects with
 * `invalid_bundle`, `bundle_mismatch`, `data_dir_busy` or `corrupt_data`, with nothing left open.
 */
export async function createServices(config: Config, log: Logger): Promise<Services> {
  const bundles = readBundles(config);
  const events = createEventLog(log);
  // Read while the models' threads load their graphs.
  const fetching = import('./indexing/fetch-image.ts');
  const signals = offeredSignals(bundles);
  const weights = fusionWeights(config.fusion, bundles);
  const [models, index] = await bothOrNeither(
    openModels(config, events),
    openCoverIndex({ ...indexOptions(config, bundles), onEvent: events.index }),
  );
  const { createImageFetcher } = await fetching;
  const fetcher = createImageFetcher({
    allow: config.fetch.allow,
    concurrency: config.fetch.concurrency,
    perHost: config.fetch.per_host,
    maxBytes: config.limits.image_max_bytes,
    skipMs: config.fetch.skip_ms,
  });
  const rerankServer = await openRerankServer(config, models.rerank, events).catch(async (error: Error) => {
    await Promise.all([index.close(), models.close(), fetcher.close()]);
    throw error;
  });
  const { textEncoder: queryEncoder } = models.recall;
  const { coverEncoder } = models;
  const crossEncoder = rerankServer ?? models.rerank.crossEncoder;
  const { embedding_dim: embeddingDim } = bundles.recall;

  return {
    model: models.recall,
    index,
    judgements: index.judgements,
    queryEncoder,
    coverEncoder,
    rerankServer,
    ranker: createRanker({ queryEncoder, index, crossEncoder, weights, signals }),
    scorer: createPairScorer({ queryEncoder, coverEncoder, crossEncoder, index, fetcher, weights }),
    indexer: createCoverIndexer({ index, encoder: coverEncoder, fetcher, embeddingDim }),
    events: events.happened,
    health: () => healthOf(models, rerankServer, index),
    async close() {
      await index.close();
      await rerankServer?.close();
      await models.close();
      await fetcher.close();
    },
  };
}

/** The bundle that recalls, and the one that reranks: the same unless `rerank_model` names another. */
interface Models {
  readonly recall: Model;
  readonly rerank: Reranker;
  readonly coverEncoder: CoverEncoder;
  close(): Promise<void>;
}

async function openModels(config: Config, events: EventLog): Promise<Models> {
  const { model, rerank_model, rerank_url, device, threads, limits } = config;
  const options = {
    device,
    threads,
    limits,
    loadReranker: rerank_url === '',
    onDeath: events.modelDied,
  };
  if (rerank_model === '') {
    const recall = await openModel(model, options);
    return { recall, rerank: recall, coverEncoder: recall.coverEncoder, close: recall.close };
  }
  const [recall, rerank] = await bothOrNeither(
    openModel(model, { ...options, loadReranker: false }),
    openReranker(rerank_model, options),
  );
  return {
    recall,
    rerank,
    coverEncoder: createPairedCoverEncoder(recall.coverEncoder, rerank.coverEncoder),
    async close() {
      await recall.close();
      await rerank.close();
    },
  };
}

function readBundles(config: Config): RankingBundles {
  const bundles = rankingBundles(config, readManifest);
  if (config.rerank_model === '' || bundles.rerank.rerank !== null) return bundles;
  throw failure('invalid_config', `rerank_model names the bundle ${bundles.rerank.name}, which has no reranker.`);
}

/**
 * The data folder alone, bound to the configured bundles, whose graphs are not loaded. Rejects with `invalid_bundle`,
 * `bundle_mismatch`, `data_dir_busy` or `corrupt_data`.
 */
export async function openIndex(config: Config): Promise<OpenedCoverIndex> {
  return openCoverIndex(indexOptions(config, readBundles(config)));
}

/** What is in the data folder, which stays as it is; rejects as `openIndex` does, and gives undefined for an empty one. */
export async function inspectData(config: Config): Promise<FoundData | undefined> {
  const { bundle } = indexOptions(config, readBundles(config));
  return inspectDataDir(config.data_dir, bundle);
}

function indexOptions({ data_dir, index }: Config, { recall, rerank }: RankingBundles): CoverIndexOptions {
  return {
    dataDir: data_dir,
    bundle: recall === rerank ? { name: recall.name, hash: recall.hash } : pairRef(recall, rerank),
    embeddingDim: recall.embedding_dim,
    tokens: rerank.tokens,
    snapshotEveryWrites: index.snapshot_every_writes,
    efSearch: index.ef_search,
    rebuildWhen: { tombstones: index.rebuild_tombstones, share: index.rebuild_share },
  };
}

/** An index holds embeddings of one bundle and tokens of the other, so it belongs to both. */
function pairRef(recall: BundleManifest, rerank: BundleManifest): ModelRef {
  const hash = createHash('sha256').update(recall.hash).update(rerank.hash).digest('hex');
  return { name: `${recall.name}+${rerank.name}`, hash };
}

/** Runs a graph on the calling thread, for commands that have nothing else to do meanwhile. */
export const openGraph: OpenGraph = async (file) => {
  const { loadGraph } = await import('./inference/session.ts');
  return loadGraph(file, { threads: os.availableParallelism() });
};

/** The following serve commands only, so what they need is loaded when they are called. */
export const openOfflineModel: typeof import('./inference/offline-model.ts').openOfflineModel = async (...given) => {
  const offline = await import('./inference/offline-model.ts');
  return offline.openOfflineModel(...given);
};

export const makeThumbnail: typeof import('./inference/image.ts').makeThumbnail = async (...given) => {
  const image = await import('./inference/image.ts');
  return image.makeThumbnail(...given);
};

export const askRerankServer: typeof import('./inference/remote/ask-server.ts').askRerankServer = async (...given) => {
  const server = await import('./inference/remote/ask-server.ts');
  return server.askRerankServer(...given);
};

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
async function openRerankServer(
  config: Config,
  model: Reranker,
  events: EventLog,
): Promise<RemoteCrossEncoder | undefined> {
  const { rerank_url, rerank_timeout_ms, limits } = config;
  if (rerank_url === '') return undefined;
  const { manifest } = model.bundle;
  if (manifest.rerank === null) {
    throw failure('invalid_config', `rerank_url is set, but the bundle ${manifest.name} has no reranker.`);
  }
  const { openRemoteCrossEncoder } = await import('./inference/remote-cross-encoder.ts');
  return openRemoteCrossEncoder({
    url: rerank_url,
    model: model.ref,
    manifest,
    tokenizer: model.tokenizer,
    timeoutMs: rerank_timeout_ms,
    maxBatchPairs: limits.rerank_batch_pairs,
    maxInFlight: limits.rerank_in_flight,
    maxQueued: limits.rerank_queue,
    sharesMemory: config.rerank_shared_memory,
    onEvent: events.rerankServer,
  });
}

function healthOf(
  { recall, rerank }: Models,
  rerankServer: RemoteCrossEncoder | undefined,
  index: OpenedCoverIndex,
): HealthPart[] {
  const { state } = index.status().graph;
  const part = (name: string, { ready }: ModelPart, required: boolean): HealthPart => ({
    name,
    ready,
    required,
    detail: ready ? 'loaded' : 'starting again',
  });
  return [
    part('text tower', recall.parts.text, true),
    part('image tower', recall.parts.image, false),
    ...(rerank === recall ? [] : [part("reranker's image tower", rerank.parts.image, false)]),
    ...(rerank.parts.rerank === undefined ? [] : [part('cross-encoder', rerank.parts.rerank, false)]),
    ...(rerankServer === undefined ? [] : [rerankServerPart(rerankServer)]),
    { name: 'graph', ready: state === 'ready' || state === 'rebuilding', required: true, detail: state },
  ];
}

function rerankServerPart(rerankServer: RemoteCrossEncoder): HealthPart {
  const { server, breaker } = rerankServer.status();
  const detail = server === 'serving' && breaker !== 'closed' ? 'left alone after failures' : server;
  return { name: 'cross-encoder', ready: server === 'serving' && breaker === 'closed', required: false, detail };
}
