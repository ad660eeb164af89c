import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import { failure } from '../../core/errors.ts';

/** The console's page, and everything else that a browser might be shown: nothing but what this service serves. */
const CONTENT_POLICY = {
  'default-src': ["'self'"],
  'img-src': ["'self'", 'data:', 'blob:'],
  'style-src': ["'self'"],
  'script-src': ["'self'"],
  'connect-src': ["'self'"],
  'object-src': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
};

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What Sec-Fetch-Site says of pages that are not the service's own. */
const SITES_ELSEWHERE = new Set(['cross-site', 'same-site']);
const PREFLIGHT_SECONDS = 600;

/**
 * What browsers may do with this service: pages of other origins nothing, but for those of `corsOrigins`. Goes before
 * authentication, since a preflight carries no key.
 */
export async function addBrowserPolicy(app: FastifyInstance, corsOrigins: readonly string[]): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_POLICY },
    // Says what the proxy that speaks TLS has to say; the service itself speaks plain HTTP.
    strictTransportSecurity: false,
  });
  addCrossSiteRefusal(app, new Set(corsOrigins));
  if (corsOrigins.length === 0) return;
  await app.register(cors, {
    origin: [...corsOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-request-id', 'traceparent'],
    exposedHeaders: ['x-request-id', 'server-timing', 'retry-after', 'location'],
    maxAge: PREFLIGHT_SECONDS,
    // An OPTIONS that is no preflight is answered like one of any method that an address does not have.
    strictPreflight: false,
  });
}

/**
 * A page elsewhere may send a form's POST to any address without asking first, and where no keys are needed the service
 * would do it. Browsers say where a request comes from; other clients say nothing and are not concerned.
 */
function addCrossSiteRefusal(app: FastifyInstance, allowed: ReadonlySet<string>): void {
  app.addHook('onRequest', async ({ method, headers, host }) => {
    if (READING.has(method)) return;
    const { origin, 'sec-fetch-site': site } = headers;
    if (origin !== undefined && allowed.has(origin)) return;
    // What the browser itself says holds also behind a proxy that hands on another Host. It says so to HTTPS and loopback
    // only; for the rest there is the origin.
    const isForeign =
      site === undefined ? origin !== undefined && !isOriginOf(host, origin) : SITES_ELSEWHERE.has(String(site));
    if (isForeign) throw failure('forbidden', 'Pages of other origins may not call this.');
  });
}

/** Whether a page of the origin came from this host; a default port may be left out in either. */
function isOriginOf(host: string, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  const own = `${page.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === page.host;
}
