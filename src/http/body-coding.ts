import type { FastifyInstance } from 'fastify';
import { failure } from '../core/errors.ts';

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;
const UTF8 = new Set(['utf-8', 'utf8', 'us-ascii']);

/**
 * Refuses bodies in another coding than plain UTF-8 before they are read. Taken for UTF-8, a query in GBK would be
 * ranked as another query, and nobody would be told.
 */
export function addBodyCoding(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }, reply) => {
    const coding = headers['content-encoding'] ?? 'identity';
    if (coding.toLowerCase() !== 'identity') {
      reply.header('accept-encoding', 'identity');
      throw failure('unsupported_media_type', 'Send the body without Content-Encoding.');
    }
    const charset = CHARSET.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
    if (!UTF8.has(charset.toLowerCase())) throw failure('unsupported_media_type', 'Send the body in UTF-8.');
  });
  addJsonParser(app);
}

/** Parses JSON bodies, and refuses those whose bytes are no UTF-8 and those that would set a prototype. */
function addJsonParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (cause) {
      done(failure('invalid_request', 'The body is not valid UTF-8.', { cause }));
      return;
    }
    parse(request, text, done);
  });
}
