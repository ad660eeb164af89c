import { type Dispatcher, Pool } from 'undici';

export interface HttpAnswer {
  readonly status: number;
  readonly serverTiming: string | undefined;
  readonly body: string;
}

/** A client of one service. Rejects when there is no answer; any status is an answer. */
export interface ServiceClient {
  get(path: string): Promise<HttpAnswer>;
  post(path: string, json: string): Promise<HttpAnswer>;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sockets at most; a further request waits for one, and that wait is part of its latency. */
  readonly connections: number;
  readonly timeoutMs: number;
}

export function createServiceClient({ url, headers, connections, timeoutMs }: ClientOptions): ServiceClient {
  const pool = new Pool(new URL(url).origin, { connections, pipelining: 1 });

  async function request(method: Dispatcher.HttpMethod, path: string, json?: string): Promise<HttpAnswer> {
    const answer = await pool.request({
      method,
      path,
      headers: json === undefined ? { ...headers } : { ...headers, 'content-type': 'application/json' },
      body: json ?? null,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const serverTiming = answer.headers['server-timing'];
    return {
      status: answer.statusCode,
      serverTiming: Array.isArray(serverTiming) ? serverTiming.join(', ') : serverTiming,
      body: await answer.body.text(),
    };
  }

  return {
    get: (path) => request('GET', path),
    post: (path, json) => request('POST', path, json),
    close: () => pool.destroy(),
  };
}

/** A short, stable name for why there was no answer. */
export function failureReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'TimeoutError' || error.message === 'request timed out') return 'timeout';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
