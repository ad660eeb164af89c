import type { FastifyInstance } from 'fastify';
import { failure } from '../core/errors.ts';

/**
 * Tells a wrong method (405 with Allow) from an address that is not there (404), before any body is read. Fastify knows
 * only the second, whatever the method.
 */
export function addNotFound(app: FastifyInstance): void {
  const methodsByUrl = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set();
    for (const name of Array.isArray(method) ? method : [method]) methods.add(name);
    methodsByUrl.set(url, methods);
  });

  let patterns: { readonly pattern: RegExp; readonly allow: string }[] = [];
  app.addHook('onReady', async () => {
    patterns = [...methodsByUrl]
      .filter(([url]) => !url.includes('*'))
      .map(([url, methods]) => ({ pattern: patternOf(url), allow: [...methods].sort().join(', ') }));
  });

  // Reached only from routes that look for files of their own, as Swagger UI's do.
  app.setNotFoundHandler(() => {
    throw failure('not_found', 'There is nothing at this address.');
  });

  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    const path = request.url.split('?', 1)[0] ?? '';
    const known = patterns.find(({ pattern }) => pattern.test(path));
    if (known === undefined) throw failure('not_found', 'There is nothing at this address.');
    reply.header('allow', known.allow);
    throw failure('method_not_allowed', `This address takes ${known.allow}.`);
  });
}

function patternOf(url: string): RegExp {
  const segments = url.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll('.', '\\.')));
  return new RegExp(`^${segments.join('/')}$`);
}
