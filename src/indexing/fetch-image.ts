import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns';
import type { LookupFunction, Socket } from 'node:net';
import pLimit, { type LimitFunction } from 'p-limit';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { abortFailure } from '../core/abort.ts';
import { failure, isFailure } from '../core/errors.ts';
import type { ImageFetcher } from '../core/ports.ts';
import { type AddressPolicy, type AddressRule, createAddressPolicy } from './address-policy.ts';
import { createFetchFailures } from './fetch-failures.ts';

export interface ImageFetcherOptions {
  /** Hosts, host:port or CIDR that may be reached although they are not public. */
  readonly allow: readonly string[];
  /** Pictures fetched at once, over all hosts. */
  readonly concurrency: number;
  /** Pictures fetched at once from one host. */
  readonly perHost: number;
  readonly maxBytes: number;
  /** How long an address that was refused, or a host that fails, is left alone. Default: not at all. */
  readonly skipMs?: number;
  /** Asks for the addresses of a name. Default: the resolver of the system. */
  readonly resolve?: Resolve;
  readonly timeouts?: Partial<FetchTimeouts>;
}

export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export interface FetchTimeouts {
  readonly connectMs: number;
  readonly headersMs: number;
  /** Longest pause within a body. */
  readonly idleMs: number;
  /** Everything together, redirects included, from the moment the fetch has its turn. */
  readonly totalMs: number;
}

export interface ClosableImageFetcher extends ImageFetcher {
  close(): Promise<void>;
}

const DEFAULT_TIMEOUTS: FetchTimeouts = { connectMs: 2000, headersMs: 3000, idleMs: 3000, totalMs: 8000 };
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Refusals that another try may not meet: request time-out, too early, too many requests. */
const PASSING_REFUSALS = new Set([408, 425, 429]);
/** Object stores call pictures this when nobody told them better. */
const UNTYPED = new Set(['application/octet-stream', 'binary/octet-stream']);

/**
 * Fetches pictures from addresses that strangers chose, so every hop passes three gates: the URL itself (scheme, port,
 * credentials, IP literals, for which no resolver is asked), every address that its name resolves to, and the address
 * that the socket really reached. Errors never tell what the other side answered.
 */
export function createImageFetcher(options: ImageFetcherOptions): ClosableImageFetcher {
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const policy = createAddressPolicy(options.allow);
  const agent = new Agent({
    connect: guardedConnector(policy, options.resolve ?? lookup, timeouts.connectMs),
    connections: options.perHost,
    headersTimeout: timeouts.headersMs,
    bodyTimeout: timeouts.idleMs,
    maxResponseSize: -1, // the size is counted here, where going over it is told from other failures
  });
  const failures = createFetchFailures({ skipMs: options.skipMs ?? 0 });
  const everywhere = pLimit(options.concurrency);
  const atHost = createHostLimits(options.perHost);

  async function fetchNow(start: URL, signals: FetchSignals): Promise<Uint8Array> {
    let url = start;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const answer = await ask(url, signals);
      if (!(answer instanceof URL)) return answer;
      url = answer;
    }
    throw failure('fetch_failed', 'The image address redirects too often.');
  }

  /** The picture at the address, or the address that it redirects to. */
  async function ask(url: URL, { caller, total, all }: FetchSignals): Promise<Uint8Array | URL> {
    failures.check(url);
    try {
      const response = await request(agent, policy, url, all);
      if (REDIRECTS.has(response.statusCode)) {
        await response.body.dump({ limit: 16 * 1024, signal: all });
        return redirectTarget(response, url);
      }
      const picture = await readImage(response, options.maxBytes);
      failures.succeeded(url);
      return picture;
    } catch (error) {
      const told = fetchFailure(error, caller, total);
      failures.failed(url, told);
      throw told;
    }
  }

  return {
    async fetch(address, signal) {
      const url = parseAddress(address);
      // The turn at the host comes first: a slow host must not hold turns that other hosts could use.
      return atHost(url.host, () =>
        everywhere(async () => {
          if (signal.aborted) throw abortFailure(signal);
          const total = AbortSignal.timeout(timeouts.totalMs);
          return fetchNow(url, { caller: signal, total, all: AbortSignal.any([signal, total]) });
        }),
      );
    },
    close: () => agent.destroy(),
  };
}

interface FetchSignals {
  readonly caller: AbortSignal;
  readonly total: AbortSignal;
  /** Fires with either. */
  readonly all: AbortSignal;
}

/** Runs `work` once fewer than `perHost` others are under way for that host. */
function createHostLimits(perHost: number): <T>(host: string, work: () => Promise<T>) => Promise<T> {
  const limits = new Map<string, LimitFunction>();
  return async (host, work) => {
    const limit = limits.get(host) ?? pLimit(perHost);
    limits.set(host, limit);
    try {
      return await limit(work);
    } finally {
      if (limit.activeCount + limit.pendingCount === 0) limits.delete(host);
    }
  };
}

function parseAddress(text: string): URL {
  if (!URL.canParse(text)) throw failure('fetch_forbidden', 'The image address is not a URL.');
  return new URL(text);
}

/** The first gate. Throws `fetch_forbidden`. */
function checkUrl(policy: AddressPolicy, url: URL): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw failure('fetch_forbidden', 'The image address must be http or https.');
  }
  if (url.username !== '' || url.password !== '') {
    throw failure('fetch_forbidden', 'The image address must not carry a user name or password.');
  }
  if (policy.targetRule(url.hostname, portOf(url)) === undefined) throw forbidden();
}

async function request(
  agent: Agent,
  policy: AddressPolicy,
  url: URL,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  checkUrl(policy, url);
  return agent.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    // Identity, so that the bytes counted are the bytes held: a compressed body could unfold without bound.
    headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'coverrank' },
    signal,
  });
}

function redirectTarget(response: Dispatcher.ResponseData, from: URL): URL {
  const { location } = response.headers;
  if (typeof location !== 'string' || !URL.canParse(location, from.href)) {
    throw failure('fetch_failed', 'The image address redirects to nowhere.');
  }
  return new URL(location, from);
}

async function readImage(response: Dispatcher.ResponseData, maxBytes: number): Promise<Uint8Array> {
  const { body } = response;
  try {
    checkHeaders(response, maxBytes);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
    if (size === 0) throw failure('fetch_failed', 'The image address answered with nothing.');
    return Buffer.concat(chunks, size);
  } catch (error) {
    // Leaving early closes the connection rather than reading on; what undici says about that is of no interest.
    body.once('error', () => {});
    body.destroy();
    throw error;
  }
}

function checkHeaders({ statusCode, headers }: Dispatcher.ResponseData, maxBytes: number): void {
  if (statusCode !== 200) {
    const lasting = statusCode >= 400 && statusCode < 500 && !PASSING_REFUSALS.has(statusCode);
    const retryAfterSeconds = retryAfter(statusCode, headers);
    throw failure(lasting ? 'fetch_refused' : 'fetch_failed', 'The image address did not answer with an image.', {
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw failure('fetch_failed', 'The image address answered with a compressed body.');
  }
  const type = String(headers['content-type'] ?? '')
    .split(';', 1)[0]
    ?.trim()
    .toLowerCase();
  if (type !== undefined && type !== '' && !type.startsWith('image/') && !UNTYPED.has(type)) {
    throw failure('unsupported_image', 'The image address answered with something that is not an image.');
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

/** Seconds for which the host asks to be left alone; it may also name a date, which nobody sends with pictures. */
function retryAfter(statusCode: number, { 'retry-after': header }: Dispatcher.ResponseData['headers']) {
  const asks = statusCode === 429 || statusCode === 503;
  return asks && typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}

/** The second and third gate: what the name resolves to, and where the socket ended. */
function guardedConnector(policy: AddressPolicy, resolve: Resolve, timeout: number): buildConnector.connector {
  return (target, callback) => {
    const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
    const rule = policy.targetRule(target.hostname, port);
    if (rule === undefined) {
      callback(forbidden(), null);
      return;
    }
    const connect = buildConnector({ timeout, lookup: guardedLookup(rule, resolve) } as buildConnector.BuildOptions);
    connect(target, (error, socket) => {
      if (error !== null) callback(error, null);
      else if (reachedAllowed(socket, rule)) callback(null, socket);
      else {
        socket.destroy();
        callback(forbidden(), null);
      }
    });
  };
}

/** Refuses a name as soon as one of its addresses is not allowed, and hands on only addresses that were checked. */
function guardedLookup(rule: AddressRule, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null || first === undefined) {
        callback(error ?? failure('fetch_failed', 'The name has no address.'), '', 4);
      } else if (!addresses.every(({ address }) => rule(address))) {
        callback(forbidden(), '', 4);
      } else if (options.all === true) {
        callback(null, addresses);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}

function reachedAllowed(socket: Socket, rule: AddressRule): boolean {
  return socket.remoteAddress !== undefined && rule(socket.remoteAddress);
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** What the caller may know of a failed fetch. The cause stays inside, for the log. */
function fetchFailure(error: unknown, caller: AbortSignal, total: AbortSignal): Error {
  if (caller.aborted) return abortFailure(caller);
  if (total.aborted) return failure('fetch_failed', 'Fetching the image took too long.', { cause: error });
  if (isFailure(error)) return error;
  // A connection to several addresses fails with one error that holds theirs.
  const inner = error instanceof AggregateError ? error.errors.find((one) => isFailure(one)) : undefined;
  if (inner !== undefined) return inner as Error;
  return failure('fetch_failed', 'The image could not be fetched.', { cause: error });
}

function forbidden(): Error & NodeJS.ErrnoException {
  return failure('fetch_forbidden', 'The image address is not a public one.');
}

function tooLarge(maxBytes: number): Error {
  return failure('too_large', `The image has more than ${maxBytes} bytes.`);
}
