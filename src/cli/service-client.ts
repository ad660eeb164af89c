import { Agent, errors, RetryAgent } from 'undici';
import { type CoverrankError, ERROR_CODES, type ErrorCode, failure } from '../core/errors.ts';
import type { ItemJson } from './indexing/item-source.ts';
import { readLines } from './lines.ts';

/** What `POST /index` says of one item. */
export interface ItemAnswer {
  readonly id: string;
  readonly status: number;
  readonly result?: string;
  readonly error?: { readonly code: string; readonly detail: string; readonly retryable: boolean };
}

/** A running service, as commands talk to it. */
export interface ServiceClient {
  readonly url: string;
  /** One JSON call; fails with the code and detail of the problem document that it was answered with. */
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown>;
  /** Sends items as one NDJSON stream; one answer per item, in order. */
  index(items: readonly ItemJson[]): Promise<ItemAnswer[]>;
  close(): Promise<void>;
}

export interface ServiceClientOptions {
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Pause before the first repetition; it doubles from one to the next, unless the service says how long to wait. */
  readonly retryAfterMs?: number;
  /** Repetitions of a call that the service sheds or does not hear. The default outlasts a restart of the service. */
  readonly maxRetries?: number;
}

/** Long enough for a model to be loaded and for a batch of pictures on a slow machine. */
const TIMEOUT_MS = 300_000;
const MAX_RETRIES = 6;
const MAX_RETRY_PAUSE_MS = 30_000;
const MAX_ANSWER_LINE_BYTES = 64 * 1024;
/** The service sheds load or is just not there: the same call may pass later. All of ours may be repeated. */
const RETRIED_STATUSES = [429, 502, 503, 504];

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const base = parseBase(options.url);
  const agent = new RetryAgent(new Agent({ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS }), {
    maxRetries: options.maxRetries ?? MAX_RETRIES,
    minTimeout: options.retryAfterMs ?? 500,
    maxTimeout: MAX_RETRY_PAUSE_MS,
    methods: ['GET', 'POST'],
    statusCodes: RETRIED_STATUSES,
  });
  const authorization = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };

  async function send(method: 'GET' | 'POST', path: string, contentType: string, body: string | null) {
    try {
      const response = await agent.request({
        origin: base.origin,
        path: `${base.pathname.replace(/\/$/, '')}${path}`,
        method,
        headers: { ...authorization, ...(body === null ? {} : { 'content-type': contentType }) },
        body,
      });
      if (response.statusCode >= 300) throw problemOf(response.statusCode, await response.body.text());
      return response.body;
    } catch (error) {
      throw callFailure(error, base);
    }
  }

  return {
    url: options.url,
    async call(method, path, body) {
      const answer = await send(method, path, 'application/json', body === undefined ? null : JSON.stringify(body));
      return answer.json();
    },
    async index(items) {
      const lines = items.map((item) => `${JSON.stringify(item)}\n`).join('');
      const answers: ItemAnswer[] = [];
      try {
        const body = await send('POST', '/index', 'application/x-ndjson', lines);
        for await (const { text } of readLines(body, MAX_ANSWER_LINE_BYTES)) answers.push(JSON.parse(text));
      } catch (error) {
        throw callFailure(error, base);
      }
      if (answers.length !== items.length) throw failure('unavailable', 'The service ended its answer early.');
      return answers;
    },
    close: () => agent.close(),
  };
}

function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base?.protocol === 'http:' || base?.protocol === 'https:') return base;
  throw failure('invalid_request', `${url} is not the address of a service, such as http://127.0.0.1:8080.`);
}

function problemOf(status: number, body: string): CoverrankError {
  let problem: { code?: unknown; detail?: unknown; errors?: { path: string; message: string }[] } = {};
  try {
    problem = JSON.parse(body) as typeof problem;
  } catch {
    // Not one of ours: a proxy's page, or another server.
  }
  const code =
    typeof problem.code === 'string' && problem.code in ERROR_CODES ? (problem.code as ErrorCode) : 'internal';
  const places = problem.errors?.map(({ path, message }) => `${path} ${message}`).join('; ');
  const detail = typeof problem.detail === 'string' ? problem.detail : 'It does not look like coverrank.';
  return failure(code, `The service answered ${status}: ${detail}${places ? ` (${places})` : ''}`);
}

function callFailure(error: unknown, base: URL): Error {
  if (error instanceof errors.RequestRetryError) {
    return failure('unavailable', `${base.origin} answered ${error.statusCode} again and again.`, { cause: error });
  }
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && (code.startsWith('E') || code.startsWith('UND_'))) {
    return failure('unavailable', `${base.origin} cannot be reached (${code}).`, { cause: error });
  }
  return error as Error;
}
