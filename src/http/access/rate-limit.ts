import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ApiKey } from '../../core/api-key.ts';
import { failure } from '../../core/errors.ts';

export interface RateLimitOptions {
  readonly keys: readonly ApiKey[];
  /** For keys without a number of their own, and for each address where no keys are needed; 0: no limit. */
  readonly requestsPerMinute: number;
}

const MINUTE_MS = 60_000;
/** Callers that are counted at once; of more, those seen longest ago begin anew. */
const MAX_CALLERS = 10_000;

/**
 * Bounds how often a key, or without keys an address (of IPv6 a /64 network), may call what is not public. It has to be
 * added after authentication, whose result it goes by, and counts before the body is read.
 */
export async function addRateLimit(app: FastifyInstance, options: RateLimitOptions): Promise<void> {
  const perKey = new Map(options.keys.map((key) => [key.name, key.requests_per_minute ?? options.requestsPerMinute]));
  const limitOf = ({ keyName }: FastifyRequest): number =>
    (keyName === null ? undefined : perKey.get(keyName)) ?? options.requestsPerMinute;
  if (options.requestsPerMinute === 0 && [...perKey.values()].every((limit) => limit === 0)) return;

  await app.register(rateLimit, { global: false });
  const counting = { timeWindow: MINUTE_MS, cache: MAX_CALLERS };
  const byAddress = app.createRateLimit({ ...counting, max: options.requestsPerMinute });
  const byKey = app.createRateLimit({ ...counting, max: limitOf, keyGenerator: ({ keyName }) => String(keyName) });

  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.public === true || request.is404 || limitOf(request) === 0) return;
    const seen = await (request.keyName === null ? byAddress : byKey)(request);
    if (seen.isAllowed || !seen.isExceeded) return;
    throw failure('rate_limited', `More than ${seen.max} requests within a minute.`, {
      retryAfterSeconds: Math.max(1, seen.ttlInSeconds),
    });
  });
}
