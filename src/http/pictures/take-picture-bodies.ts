import type { FastifyRequest } from 'fastify';
import { createThreadOnDemand } from '../../core/thread-on-demand.ts';
import { isSmall, movable } from '../json-source.ts';
import type { App } from '../route.ts';
import { parsePictureBody } from './picture-body.ts';
import type { PictureThreadMethods } from './picture-thread.ts';

/**
 * The routes of this scope get JSON bodies with their pictures decoded (see `parsePictureBody`). Large bodies are parsed
 * in a thread, started with the first of them, so that one request's pictures never hold up the answers to others.
 */
export function takePictureBodies(app: App, maxImageBytes: number): void {
  const thread = createThreadOnDemand<PictureThreadMethods>(new URL('./picture-thread.js', import.meta.url), {
    name: 'picture parser',
  });
  app.addHook('onClose', () => thread.close());
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (_request: FastifyRequest, bytes: Buffer) => {
      const source = { bytes, maxImageBytes };
      if (isSmall(source)) return parsePictureBody(source);
      return (await thread.running()).call('parse', ...movable(source));
    },
  );
}
