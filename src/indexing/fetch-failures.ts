import { LRUCache } from 'lru-cache';
import { failure, isFailure } from '../core/errors.ts';

/** What fetching remembers of addresses that failed, over all jobs, so that they are not asked again and again. */
export interface FetchFailures {
  /** Throws `fetch_skipped` while the address or its host is left alone. */
  check(url: URL): void;
  failed(url: URL, error: unknown): void;
  succeeded(url: URL): void;
}

export interface FetchFailuresOptions {
  /** How long an address or a host is left alone; 0: never. */
  readonly skipMs: number;
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const MAX_ADDRESSES = 10_000;
const MAX_HOSTS = 1000;
/** In a row, after which a host counts as down. */
const HOST_STRIKES = 3;
/** A host may ask for longer than this; a job that waits so long is given up anyway. */
const MAX_RETRY_AFTER_MS = 300_000;
/** Share by which times differ, so that what failed together does not come back together. */
const JITTER = 0.2;
/** What asking the same address again would give again. */
const LASTING = ['fetch_refused', 'unsupported_image', 'too_large'] as const;

/**
 * An address whose answer was a lasting refusal is left alone by itself. A host is left alone when it asked for that
 * (Retry-After), or when three fetches in a row failed for other reasons; one that works clears its name.
 */
export function createFetchFailures({
  skipMs,
  now = () => performance.now(),
  random = Math.random,
}: FetchFailuresOptions): FetchFailures {
  const perf = { now };
  const addresses = new LRUCache<string, true>({ max: MAX_ADDRESSES, ttl: 1, ttlResolution: 0, perf });
  const hosts = new LRUCache<string, true>({ max: MAX_HOSTS, ttl: 1, ttlResolution: 0, perf });
  const strikes = new LRUCache<string, number>({ max: MAX_HOSTS });
  const jittered = (ms: number): number => ms * (1 - JITTER + 2 * JITTER * random());

  function strike(host: string): void {
    const count = (strikes.get(host) ?? 0) + 1;
    strikes.set(host, count);
    if (count >= HOST_STRIKES) hosts.set(host, true, { ttl: jittered(skipMs) });
  }

  return {
    check(url) {
      if (hosts.has(url.host)) throw skipped('The image host failed a short while ago and is left alone for now.');
      if (addresses.has(url.href)) throw skipped('The image address was refused a short while ago.');
    },
    failed(url, error) {
      if (skipMs === 0 || !isFailure(error)) return;
      if (LASTING.some((code) => code === error.code)) addresses.set(url.href, true, { ttl: jittered(skipMs) });
      if (error.code !== 'fetch_failed') return;
      // A host that asks for no time at all has just failed. (A time of 0 would mean for ever to the cache.)
      const askedMs = Math.min(MAX_RETRY_AFTER_MS, (error.retryAfterSeconds ?? 0) * 1000);
      if (askedMs > 0) hosts.set(url.host, true, { ttl: askedMs });
      else strike(url.host);
    },
    succeeded: (url) => strikes.delete(url.host),
  };
}

function skipped(detail: string): Error {
  return failure('fetch_skipped', detail);
}
