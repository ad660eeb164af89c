import { type Dispatcher, errors, Pool } from 'undici';
import { failure } from '../../core/errors.ts';
import type { TraceContext } from '../../core/types.ts';
import { HEADER_LENGTH, type InferRequest, readOutputs } from './inference-protocol.ts';

/** Where a model is served: `http://host:8000`, or with `/v2/models/NAME` and `/versions/V` behind it. */
export interface ServedAt {
  readonly origin: string;
  /** What stands before `/v2`, where a proxy puts servers side by side. */
  readonly prefix: string;
  /** `/v2/models/NAME`, with its version where one was named. */
  readonly modelPath: string;
}

export interface InferenceServerOptions {
  readonly at: ServedAt;
  /** Calls in flight at once. */
  readonly connections: number;
}

/** One model of a server that speaks the Open Inference Protocol over HTTP. */
export interface InferenceServer {
  /** Rejects with `unavailable` unless server and model say ready. */
  assertReady(signal: AbortSignal): Promise<void>;
  /** The model's metadata, as the protocol defines it; not checked. */
  metadata(signal: AbortSignal): Promise<unknown>;
  /** Triton's configuration of the model; undefined where the server has no such extension. */
  config(signal: AbortSignal): Promise<unknown>;
  /**
   * The float32 outputs by name. Rejects with `unavailable` (not reached, connection lost, model gone), `overloaded`,
   * `deadline_exceeded` (the server gave up waiting) or `internal` (the server failed or answered nonsense), and with
   * the signal's reason when it fires. `trace` goes along as headers.
   */
  infer(request: InferRequest, signal: AbortSignal, trace?: TraceContext): Promise<ReadonlyMap<string, Float32Array>>;
  /** Names of the protocol's extensions that the server has. */
  extensions(signal: AbortSignal): Promise<readonly unknown[]>;
  /** Has the server map the POSIX shared memory object `/name`. Rejects when it cannot. */
  registerRegion(name: string, bytes: number, signal: AbortSignal): Promise<void>;
  unregisterRegion(name: string, signal: AbortSignal): Promise<void>;
  hasRegion(name: string, signal: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

const REGIONS = '/v2/systemsharedmemory/region';
const CONNECT_TIMEOUT_MS = 1000;
/** Idle connections are closed here before a proxy in between is likely to do so unseen. */
const KEEP_ALIVE_MS = 30_000;
/** Scores and metadata are small; more than this is no answer of such a model. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Takes a `rerank_url` apart. Fails with `invalid_config`. */
export function parseServedAt(url: string, defaultModel: string): ServedAt {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!/^https?:$/.test(parsed?.protocol ?? '') || parsed === undefined || parsed.search + parsed.hash !== '') {
    throw failure(
      'invalid_config',
      'rerank_url must be of the form http://host:port or http://host:port/v2/models/NAME.',
    );
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw failure('invalid_config', 'rerank_url must not hold a user name or password.');
  }
  const path = parsed.pathname.replace(/\/+$/, '');
  const named = /^(.*)(\/v2\/models\/[^/]+(?:\/versions\/[^/]+)?)$/.exec(path);
  return {
    origin: parsed.origin,
    prefix: named?.[1] ?? path.replace(/\/v2$/, ''),
    modelPath: named?.[2] ?? `/v2/models/${encodeURIComponent(defaultModel)}`,
  };
}

/** Opens no connection before the first call. */
export function createInferenceServer({ at, connections }: InferenceServerOptions): InferenceServer {
  const { origin, prefix, modelPath } = at;
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // Signals end calls; these timers are too coarse for deadlines of milliseconds.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
  });

  async function call(options: Omit<Dispatcher.RequestOptions, 'origin'>): Promise<Answer> {
    try {
      const response = await pool.request({ ...options, path: prefix + options.path });
      const body = new Uint8Array(await response.body.arrayBuffer());
      return { status: response.statusCode, headers: response.headers, body };
    } catch (error) {
      throw transportFailure(error);
    }
  }

  async function getJson(path: string, signal: AbortSignal): Promise<unknown> {
    const answer = await call({ path, method: 'GET', signal });
    if (answer.status !== 200) throw statusFailure(answer);
    return parseJson(answer);
  }

  return {
    async assertReady(signal) {
      const server = await call({ path: '/v2/health/ready', method: 'GET', signal });
      if (server.status !== 200) {
        throw failure('unavailable', `The reranking server is not ready (status ${server.status}).`);
      }
      const { status } = await call({ path: `${modelPath}/ready`, method: 'GET', signal });
      if (status !== 200) {
        const name = modelPath.replace('/v2/models/', '');
        throw failure('unavailable', `The reranking server has no model ${name} that is ready (status ${status}).`);
      }
    },
    metadata: (signal) => getJson(modelPath, signal),
    async config(signal) {
      const answer = await call({ path: `${modelPath}/config`, method: 'GET', signal });
      return answer.status === 200 ? parseJson(answer) : undefined;
    },
    async infer({ body, headerBytes }, signal, trace) {
      const answer = await call({
        path: `${modelPath}/infer`,
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', [HEADER_LENGTH]: String(headerBytes), ...trace },
        body,
        signal,
      });
      if (answer.status !== 200) throw statusFailure(answer);
      const headerLength = answer.headers[HEADER_LENGTH];
      return readOutputs(answer.body, typeof headerLength === 'string' ? headerLength : undefined);
    },
    async extensions(signal) {
      const { extensions } = (await getJson('/v2', signal)) as { readonly extensions?: unknown };
      return Array.isArray(extensions) ? extensions : [];
    },
    async registerRegion(name, bytes, signal) {
      const body = JSON.stringify({ key: `/${name}`, offset: 0, byte_size: bytes });
      const answer = await call({ path: `${REGIONS}/${name}/register`, method: 'POST', body, signal });
      if (answer.status !== 200) throw statusFailure(answer);
    },
    async unregisterRegion(name, signal) {
      await call({ path: `${REGIONS}/${name}/unregister`, method: 'POST', signal });
    },
    async hasRegion(name, signal) {
      const answer = await call({ path: `${REGIONS}/${name}/status`, method: 'GET', signal });
      return answer.status === 200;
    },
    close: () => pool.destroy(),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Uint8Array;
}

function parseJson({ body }: Answer): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch (cause) {
    throw failure('internal', 'The reranking server answered something that is no JSON.', { cause });
  }
}

/** What the server said goes into the cause, for the log; the detail stays free of it. */
function statusFailure({ status, body }: Answer): Error {
  const said = Buffer.from(body.subarray(0, 500)).toString('utf8');
  const cause = new Error(`status ${status}: ${said}`);
  // Triton drops a request whose time is over when it comes to it in the queue.
  if (status === 503 && /timeout/i.test(said)) {
    return failure('deadline_exceeded', 'The reranking server did not come to it in time.', { cause });
  }
  if (status === 503 || status === 429) return failure('overloaded', 'The reranking server is overloaded.', { cause });
  if (status === 404 || status === 502 || status === 504) {
    return failure('unavailable', `The reranking server's model cannot be reached (status ${status}).`, { cause });
  }
  return failure('internal', `The reranking server failed (status ${status}).`, { cause });
}

/** An abort passes through as it is, so that the caller can tell whose signal it was. */
function transportFailure(error: unknown): unknown {
  if (error instanceof errors.ResponseExceededMaxSizeError) {
    return failure('internal', 'The reranking server answered more than its model can say.', { cause: error });
  }
  const isAbort = error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
  if (isAbort || !(error instanceof Error)) return error;
  return failure('unavailable', 'The connection to the reranking server failed.', { cause: error });
}
