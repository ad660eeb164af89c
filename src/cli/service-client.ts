import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, type Dispatcher } from 'undici';
import { type CoverrankError, ERROR_CODES, type ErrorCode, failure, isFailure } from '../core/errors.ts';
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
const RETRY_PAUSE_MS = 500;
const MAX_RETRY_PAUSE_MS = 30_000;
const MAX_ANSWER_LINE_BYTES = 64 * 1024;
/** The service sheds load or is just not there: the same call may pass later. All of ours may be repeated. */
const RETRIED_STATUSES = [429, 502, 503, 504];
/** No connection, or one that broke. */
const RETRIED_ERRORS = [
  'ECONNRESET',
  'ECONNREFUSED',
  'ENOTFOUND',
  'ENETDOWN',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EPIPE',
  'UND_ERR_SOCKET',
];

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly contentType: string;
  readonly body: string | null;
}

type AnswerBody = Dispatcher.ResponseData['body'];

/** What one try came to: the answer, or why it is worth another, and the pause that the service asked for (0: none). */
type Try<T> = { readonly answer: T } | { readonly problem: Error; readonly pauseMs: number };

export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const base = parseBase(options.url);
  const { maxRetries = MAX_RETRIES, retryAfterMs = RETRY_PAUSE_MS } = options;
  const agent = new Agent({ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  const authorization = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };

  /**
   * Repeats the call as a whole until its answer could be read to the end. undici's RetryAgent would ask for the rest of an
   * answer that breaks off, by a range of bytes, which an answer to a POST does not have.
   */
  async function ask<T>(call: Call, read: (body: AnswerBody) => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries++) {
      const tried = await askOnce(call, read);
      if ('answer' in tried) return tried.answer;
      if (retries === maxRetries) throw tried.problem;
      await sleep(Math.min(tried.pauseMs || retryAfterMs * 2 ** retries, MAX_RETRY_PAUSE_MS));
    }
  }

  async function askOnce<T>(call: Call, read: (body: AnswerBody) => Promise<T>): Promise<Try<T>> {
    let isAnswered = false;
    try {
      const { statusCode, headers, body } = await send(call);
      if (RETRIED_STATUSES.includes(statusCode)) {
        await body.dump();
        const problem = failure('unavailable', `${base.origin} answered ${statusCode} again and again.`);
        return { problem, pauseMs: pauseAskedFor(headers['retry-after']) };
      }
      if (statusCode >= 300) throw problemOf(statusCode, await body.text());
      isAnswered = true;
      return { answer: await read(body) };
    } catch (error) {
      const problem = callFailure(error, base, isAnswered);
      const isCutOff = isAnswered && isFailure(error, 'unavailable');
      if (!isCutOff && !RETRIED_ERRORS.includes(String((error as NodeJS.ErrnoException).code))) throw problem;
      return { problem, pauseMs: 0 };
    }
  }

  function send({ method, path, contentType, body }: Call): Promise<Dispatcher.ResponseData> {
    return agent.request({
      origin: base.origin,
      path: `${base.pathname.replace(/\/$/, '')}${path}`,
      method,
      headers: { ...authorization, ...(body === null ? {} : { 'content-type': contentType }) },
      body,
    });
  }

  return {
    url: options.url,
    call(method, path, json) {
      const body = json === undefined ? null : JSON.stringify(json);
      return ask({ method, path, contentType: 'application/json', body }, (answer) => answer.json());
    },
    index(items) {
      const body = items.map((item) => `${JSON.stringify(item)}\n`).join('');
      const call: Call = { method: 'POST', path: '/index', contentType: 'application/x-ndjson', body };
      return ask(call, (answer) => readOutcomes(answer, items.length));
    },
    close: () => agent.close(),
  };
}

/** Fails with `unavailable` when there are fewer than `count`: a proxy, say, may end what breaks off in an orderly way. */
async function readOutcomes(body: AnswerBody, count: number): Promise<ItemAnswer[]> {
  const outcomes: ItemAnswer[] = [];
  for await (const { text } of readLines(body, MAX_ANSWER_LINE_BYTES)) outcomes.push(parseOutcome(text));
  if (outcomes.length !== count) throw cutOff();
  return outcomes;
}

function cutOff(cause?: unknown): CoverrankError {
  return failure('unavailable', 'The service ended its answer early.', { cause });
}

/** White space alone is a sign of life before an outcome that did not come. */
function parseOutcome(line: string): ItemAnswer {
  try {
    return JSON.parse(line) as ItemAnswer;
  } catch (cause) {
    if (/^\s*(\{|$)/.test(line)) throw cutOff(cause);
    throw failure('internal', 'The service answered something that is no outcome. It does not look like coverrank.', {
      cause,
    });
  }
}

/** Milliseconds of a Retry-After header, which has seconds or a date; 0 without one. */
function pauseAskedFor(header: string | string[] | undefined): number {
  const text = String(header ?? '');
  const seconds = Number(text);
  const pauseMs = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return pauseMs > 0 ? pauseMs : 0;
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

/** The failure that a broken call ends with. A service that began to answer was there, so it is not called unreachable. */
function callFailure(error: unknown, base: URL, isAnswered: boolean): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && (code.startsWith('E') || code.startsWith('UND_'))) {
    const what = isAnswered ? 'did not finish its answer' : 'cannot be reached';
    return failure('unavailable', `${base.origin} ${what} (${code}).`, { cause: error });
  }
  return error as Error;
}
