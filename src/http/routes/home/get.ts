import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { Type } from 'typebox';
import { failure } from '../../../core/errors.ts';
import { packageRoot } from '../../../core/package-root.ts';
import type { AddRoute } from '../../route.ts';
import { strict } from '../../schemas/common.ts';

/** What scripts/console.mjs builds. */
const PAGE_FOLDER = join(packageRoot, 'dist', 'public');

const config = { public: true, quiet: true } as const;
const schema = { hide: true, params: strict({ file: Type.String({ pattern: '^[\\w-]+\\.[a-z]+$' }) }) };

/** The console. The page needs no key; what it calls does. */
export const addHome: AddRoute = async (app) => {
  const isBuilt = existsSync(PAGE_FOLDER);
  if (isBuilt) await app.register(fastifyStatic, { root: PAGE_FOLDER, serve: false, preCompressed: true });
  const demandPage = (): void => {
    if (!isBuilt) throw failure('not_found', 'The console is not built; `npm run build` does that.');
  };

  app.get('/', { schema: { hide: true }, config }, async (_request, reply) => {
    demandPage();
    // The page names its assets by their content, so it has to be asked for again.
    return reply.header('cache-control', 'no-cache').sendFile('index.html', { cacheControl: false });
  });
  app.get('/assets/:file', { schema, config }, async (request, reply) => {
    demandPage();
    return reply.sendFile(join('assets', request.params.file), { maxAge: '365d', immutable: true });
  });
};
