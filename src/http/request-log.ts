import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Probes and scrapes are logged at `debug`: they are many and say little. */
    quiet?: boolean;
  }
}

/**
 * One line per request: what was asked for (the route, never the query text or an id), how it ended, how long it took.
 * Request id and trace id are on every line of the request's logger.
 */
export function addRequestLog(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const quiet = request.routeOptions.config.quiet === true && reply.statusCode < 400;
    const level = quiet ? 'debug' : reply.statusCode >= 500 ? 'warn' : 'info';
    request.log[level]({
      event: 'request',
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 1000) / 1000,
      ...(request.keyName === null ? {} : { key: request.keyName }),
    });
  });
  app.addHook('onRequestAbort', async (request) => {
    request.log.info({ event: 'client_left', method: request.method, route: request.routeOptions.url ?? null });
  });
}
