import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { failure } from '../core/errors.ts';

/**
 * Keys. `rank` reads and ranks, `index` writes covers, `admin` does everything, operations included. A key is 32 random
 * bytes, so one round of SHA-256 is enough to store it: there is nothing to guess that a slow hash would protect.
 */
export type Scope = 'rank' | 'index' | 'admin';

export interface ApiKey {
  /** Named in the log of every request that used it. */
  readonly name: string;
  /** As `hashKey` gives it. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The caller needs a key with one of these scopes. */
    scope?: Scope | readonly Scope[];
    /** Nobody needs a key. A route says one or the other. */
    public?: boolean;
  }

  interface FastifyRequest {
    /** Name of the key that was used; null where none was needed. */
    keyName: string | null;
  }
}

const HASH_PREFIX = 'sha256:';
const HASH = /^sha256:[0-9a-f]{64}$/;

/** What the configuration stores of a key: `sha256:` and the digest in hex. */
export function hashKey(key: string): string {
  return `${HASH_PREFIX}${createHash('sha256').update(key).digest('hex')}`;
}

/** A new key: `crk_` and 32 random bytes in base64url. */
export function generateKey(): string {
  return `crk_${randomBytes(32).toString('base64url')}`;
}

/**
 * Adds the one hook that asks for keys, and refuses to register a route that says neither its scope nor that it is
 * public. With no keys configured everybody may do everything; the server refuses to leave loopback like that.
 */
export function addAuthentication(app: FastifyInstance, keys: readonly ApiKey[], publicPrefix: string): void {
  const known = keys.map((key) => ({ ...key, digest: digestOf(key) }));

  app.addHook('onRoute', (route) => {
    // Swagger UI registers its own static routes and has no way to give them a configuration.
    const isPublic = route.url === publicPrefix || route.url.startsWith(`${publicPrefix}/`);
    route.config = { ...route.config, ...(isPublic ? { public: true } : {}) };
    if (route.config.scope === undefined && route.config.public !== true) {
      throw new Error(`the route ${route.method} ${route.url} declares neither a scope nor that it is public`);
    }
  });

  app.decorateRequest('keyName', null);
  app.addHook('onRequest', async (request, reply) => {
    const { scope, public: isPublic } = request.routeOptions.config;
    if (known.length === 0 || isPublic === true || request.is404) return;
    const key = identify(request, known);
    if (key === undefined) {
      reply.header('www-authenticate', 'Bearer realm="coverrank"');
      throw failure('unauthenticated', 'Send a valid key as `Authorization: Bearer <key>`.');
    }
    request.keyName = key.name;
    const accepted = scope === undefined ? [] : Array.isArray(scope) ? scope : [scope];
    if (key.scopes.includes('admin') || key.scopes.some((held) => accepted.includes(held))) return;
    reply.header('www-authenticate', `Bearer realm="coverrank", error="insufficient_scope"`);
    throw failure('forbidden', `This needs a key with the scope ${accepted.join(' or ')}.`);
  });
}

function digestOf(key: ApiKey): Buffer {
  if (!HASH.test(key.hash)) {
    throw failure('invalid_config', `The hash of the key "${key.name}" must be sha256: and 64 hex digits.`);
  }
  return Buffer.from(key.hash.slice(HASH_PREFIX.length), 'hex');
}

function identify<K extends { readonly digest: Buffer }>(request: FastifyRequest, keys: readonly K[]): K | undefined {
  const presented = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (presented === undefined) return undefined;
  const digest = createHash('sha256').update(presented).digest();
  // Every key is compared, so that the time taken does not tell which one came close.
  return keys.reduce<K | undefined>((found, key) => (timingSafeEqual(key.digest, digest) ? key : found), undefined);
}
