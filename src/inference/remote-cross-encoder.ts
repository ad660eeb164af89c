import { abortFailure, untilAborted } from '../core/abort.ts';
import type { BundleManifest } from '../core/bundle-format.ts';
import { failure, isFailure } from '../core/errors.ts';
import type { CrossEncoder } from '../core/ports.ts';
import { servedModelName } from '../core/served-model.ts';
import type { ImageTokens, ModelRef, Signals } from '../core/types.ts';
import { evenPortion, halvedUntil } from './chunk-size.ts';
import { createPairQueue, type PairBatch } from './pair-queue.ts';
import { findServedModel } from './remote/ask-server.ts';
import { type BreakerState, createCallPolicy } from './remote/call-policy.ts';
import { createInferenceServer, parseServedAt } from './remote/inference-server.ts';
import { createLatencyEstimate, type LatencyEstimate } from './remote/latency-estimate.ts';
import { type PairCall, scorePairs } from './remote/pair-call.ts';
import type { ServedModel } from './remote/served-model.ts';
import { createServerWatch, type ServerWatch, type WatchState, type WatchTimings } from './remote/server-watch.ts';
import { createSharedTokens, mayShareMemory, type SharedTokens } from './remote/shared-tokens.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface RemoteCrossEncoderOptions {
  /** `http://host:port`, or with `/v2/models/NAME` behind it. */
  readonly url: string;
  readonly model: ModelRef;
  /** The bundle whose reranker the server has. */
  readonly manifest: BundleManifest;
  readonly tokenizer: Tokenizer;
  /** Milliseconds that one call may take, whatever the caller's deadline. */
  readonly timeoutMs: number;
  /** Pairs of one call; less where the server's batches are smaller. */
  readonly maxBatchPairs: number;
  /** Calls in flight at once. */
  readonly maxInFlight: number;
  /** Callers that may wait; one more is refused. */
  readonly maxQueued: number;
  /** False: tokens are always sent, also to a server on this machine that offers shared memory. */
  readonly sharesMemory?: boolean;
  readonly onEvent?: (event: RemoteEvent) => void;
  readonly watchTimings?: Partial<WatchTimings>;
}

export type RemoteEvent =
  | { readonly event: 'rerank_server'; readonly state: WatchState; readonly error: Error | undefined }
  | { readonly event: 'rerank_breaker'; readonly state: BreakerState }
  | { readonly event: 'rerank_call_failed'; readonly error: Error }
  | { readonly event: 'rerank_hash_unknown' };

export interface RemoteStatus {
  readonly server: WatchState;
  readonly breaker: BreakerState;
  readonly calls: number;
  readonly retries: number;
  /** Whether tokens go through shared memory. */
  readonly sharesMemory: boolean;
}

export interface RemoteCrossEncoder extends CrossEncoder {
  status(): RemoteStatus;
  close(): Promise<void>;
}

/** Calls that one chunk is spread over. */
const CALLS_PER_CHUNK = 4;
const WARM_UP_PAIRS = [1, 16, 16] as const;
/** A call that was cut off earlier than this says nothing about the server, unless it is always faster. */
const FAIR_CHANCE_MS = 50;

/**
 * A bundle's reranker on a server that speaks the Open Inference Protocol, such as Triton on a GPU. Rejects with
 * `invalid_config` when the server has another model; a server that is merely not there yet is looked for in the
 * background, and until it is found `score` rejects with `unavailable`.
 */
export async function openRemoteCrossEncoder(options: RemoteCrossEncoderOptions): Promise<RemoteCrossEncoder> {
  const { url, manifest, maxInFlight, onEvent = () => {} } = options;
  const at = parseServedAt(url, servedModelName(manifest.name));
  const server = createInferenceServer({ at, connections: maxInFlight });
  const latency = createLatencyEstimate();
  const shared =
    (options.sharesMemory ?? true) && mayShareMemory(at.origin)
      ? createSharedTokens({ server, places: maxInFlight })
      : undefined;
  let isHashKnown = true;

  const watch = createServerWatch({
    check: (signal) => findModel(signal),
    onChange: (state, error) => onEvent({ event: 'rerank_server', state, error }),
    ...(options.watchTimings === undefined ? {} : { timings: options.watchTimings }),
  });

  async function findModel(signal: AbortSignal): Promise<ServedModel> {
    const served = await findServedModel(server, manifest, signal);
    if (isHashKnown && !served.isHashKnown) onEvent({ event: 'rerank_hash_unknown' });
    isHashKnown = served.isHashKnown;
    const { count = 0, width = 0 } = manifest.tokens ?? {};
    await shared?.ensure(pairsPerCall(served) * count * width, signal);
    if (!latency.isKnown) await warmUp(served, signal);
    return served;
  }

  /** Shows that the model answers, and what it costs. The first runs are slow and no measure. */
  async function warmUp(served: ServedModel, signal: AbortSignal): Promise<void> {
    const { count = 0, width = 0 } = manifest.tokens ?? {};
    const blank: ImageTokens = { values: new Int8Array(count * width), scales: new Float32Array(count) };
    for (const [run, pairs] of WARM_UP_PAIRS.entries()) {
      const size = Math.min(pairs, pairsPerCall(served));
      const startedAt = performance.now();
      const images = new Array<ImageTokens>(size).fill(blank);
      await callServer(
        { slices: [{ query: { tokenIds: manifest.self_test.text.input_ids }, images }], timeoutMs: options.timeoutMs },
        signal,
      );
      if (run > 0) latency.learn(size, performance.now() - startedAt);
    }
  }

  async function callServer(call: PairCall, signal: AbortSignal): Promise<Signals[]> {
    const place = await shared?.put(call.slices.flatMap(({ images }) => images));
    try {
      return await scorePairs(server, manifest, { ...call, sharedTokens: place }, signal);
    } finally {
      place?.release();
    }
  }

  function pairsPerCall(served: ServedModel | undefined): number {
    return Math.min(options.maxBatchPairs, served?.maxBatch ?? options.maxBatchPairs);
  }

  async function close(): Promise<void> {
    watch.close();
    await shared?.close();
    await server.close();
  }

  try {
    await watch.look();
  } catch (error) {
    if (isFailure(error, 'invalid_config')) {
      await close();
      throw error;
    }
  }
  const parts = { callServer, watch, latency, shared, pairsPerCall: () => pairsPerCall(watch.served), close };
  return createRemote({ ...options, onEvent }, parts);
}

interface RemoteParts {
  readonly callServer: (call: PairCall, signal: AbortSignal) => Promise<Signals[]>;
  readonly watch: ServerWatch;
  readonly latency: LatencyEstimate;
  /** Undefined where tokens are always sent. */
  readonly shared: SharedTokens | undefined;
  readonly pairsPerCall: () => number;
  readonly close: () => Promise<void>;
}

function createRemote(
  options: RemoteCrossEncoderOptions & { readonly onEvent: (event: RemoteEvent) => void },
  { callServer, watch, latency, shared, pairsPerCall, close }: RemoteParts,
): RemoteCrossEncoder {
  const { manifest, tokenizer, timeoutMs, maxInFlight, maxQueued, onEvent } = options;
  const contextLength = manifest.rerank?.context_length ?? 0;
  let calls = 0;
  const policy = createCallPolicy({
    isTransient: (error) => isFailure(error, 'unavailable'),
    isFault: (error) =>
      isFailure(error, 'unavailable') || isFailure(error, 'internal') || error.cause instanceof TooSlowError,
    onBreakerChange: (state) => onEvent({ event: 'rerank_breaker', state }),
  });

  /** One try: within the callers' deadline and within what any call may take. */
  async function attempt({ slices, pairs, deadlineAt, signal }: PairBatch): Promise<Signals[]> {
    await untilAborted(watch.trusted(), signal);
    const startedAt = performance.now();
    const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
    const leftMs = Math.min(timeoutMs, deadlineAt - startedAt);
    try {
      const signals = await callServer({ slices, timeoutMs: leftMs }, AbortSignal.any([signal, timeout]));
      latency.learn(pairs, performance.now() - startedAt);
      return signals;
    } catch (error) {
      if (!signal.aborted && !timeout.aborted) {
        if (isFailure(error, 'unavailable')) watch.distrust();
        throw error;
      }
      const hadMs = Math.min(leftMs, performance.now() - startedAt);
      throw abortedCall(signal, hadMs, latency.of(pairs));
    }
  }

  async function makeCall(batch: PairBatch): Promise<Signals[]> {
    // A server that is known not to be there is no business of breaker and retries.
    await untilAborted(watch.trusted(), batch.signal);
    calls += 1;
    try {
      return await policy.run(() => attempt(batch), batch.signal);
    } catch (error) {
      if (isFailure(error, 'internal')) onEvent({ event: 'rerank_call_failed', error });
      throw error;
    }
  }

  const queue = createPairQueue({
    name: 'reranking server',
    maxQueued,
    maxInFlight,
    batchPairs: pairsPerCall,
    run: makeCall,
  });

  /** A server that is not there yet takes no time to say so. */
  function estimateMs(pairs: number): number {
    if (watch.served === undefined) return 0;
    const needed = Math.ceil((queue.ahead(pairs) + pairs) / pairsPerCall());
    const rounds = Math.ceil((queue.running().batches + needed) / maxInFlight);
    return rounds * latency.of(evenPortion(pairs, pairsPerCall()));
  }

  return {
    model: options.model,
    signals: manifest.rerank?.signals ?? [],
    prepare: (text) => ({ tokenIds: tokenizer.tokenizeTo(text, contextLength).ids }),
    fittingPairs(pairs, remainingMs) {
      const most = Math.min(pairs, CALLS_PER_CHUNK * pairsPerCall());
      const fitting = halvedUntil((size) => estimateMs(size) <= remainingMs, most);
      if (fitting > 0) return fitting;
      return remainingMs > 0 && queue.isRested() ? 1 : 0;
    },
    score: (query, images, signal, { remainingMs = Number.POSITIVE_INFINITY, trace } = {}) =>
      queue.submit({ query, images, signal, deadlineAt: performance.now() + remainingMs, trace }),
    status: () => ({
      server: watch.state,
      breaker: policy.breaker,
      calls,
      retries: policy.retries,
      sharesMemory: shared?.isUsed ?? false,
    }),
    close,
  };
}

/** The call had as long as calls usually take, and more than a moment. */
class TooSlowError extends Error {
  constructor(hadMs: number) {
    super(`no answer within ${Math.round(hadMs)} ms`);
  }
}

/** Why a call was cut off: the caller left, its deadline passed, or the server took longer than any call may. */
function abortedCall(caller: AbortSignal, hadMs: number, expectedMs: number): Error {
  const reason = caller.aborted ? abortFailure(caller) : undefined;
  if (
    reason !== undefined &&
    (!isFailure(reason, 'deadline_exceeded') || hadMs < Math.max(FAIR_CHANCE_MS, expectedMs))
  ) {
    return reason;
  }
  const cause = new TooSlowError(hadMs);
  return failure('deadline_exceeded', 'The reranking server did not answer in time.', { cause });
}
