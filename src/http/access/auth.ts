import type { FastifyInstance } from 'fastify';
import type { Scope } from '../../core/api-key.ts';
import { failure } from '../../core/errors.ts';
import type { KeyRing } from './key-ring.ts';

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

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Adds the one hook that asks for keys, and refuses to register a route that says neither its scope nor that it is
 * public. With no keys configured everybody may do everything; the server refuses to leave loopback like that.
 */
export function addAuthentication(app: FastifyInstance, keys: KeyRing, publicPrefix: string): void {
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
    if (keys.isEmpty || isPublic === true || request.is404) return;
    const presented = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const key = presented === undefined ? undefined : await keys.find(presented);
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
