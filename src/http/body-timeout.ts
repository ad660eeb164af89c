import type { FastifyInstance } from 'fastify';
import { failure } from '../core/errors.ts';
import { TIMEOUTS } from './limits.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body may be a stream without end: only the idle time-out of the connection applies to it. */
    streams?: boolean;
  }
}

/**
 * Bounds how long a body may take to arrive. Node's own `requestTimeout` cannot be used: it holds for the whole server
 * and would end NDJSON streams as well.
 */
export function addBodyTimeout(app: FastifyInstance, bodyMs: number = TIMEOUTS.bodyMs): void {
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.routeOptions.config.streams === true && isNdjson(request.headers['content-type'])) return payload;
    // Told to whoever reads the body; destroying the stream would take the connection and the answer with it.
    const expire = (): void => {
      if (payload.listenerCount('error') === 0) return;
      payload.emit('error', failure('request_timeout', 'The body did not arrive in time.'));
    };
    const timer = setTimeout(expire, bodyMs).unref();
    request.raw.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
    return payload;
  });
}

function isNdjson(contentType: string | undefined): boolean {
  return /^application\/x-ndjson\s*(?:;|$)/i.test(contentType ?? '');
}
