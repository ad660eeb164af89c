import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { App } from './route.ts';

export const DOCS_PREFIX = '/docs';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the document tells of the body, where the validator looks at less of it. */
    documentedBody?: unknown;
  }
}

/** Everything the page needs comes from here. No upgrade-insecure-requests: the service itself speaks plain HTTP. */
const DOCS_CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'self'; " +
  "frame-ancestors 'self'; object-src 'none'";

const TAGS = [
  { name: 'ranking', description: 'Queries in, ranked covers out' },
  { name: 'indexing', description: 'Covers in' },
  { name: 'covers', description: 'Single covers' },
  { name: 'judgements', description: 'What people think of covers, to measure and to tune by' },
  { name: 'operations', description: 'Probes, metrics, copies' },
];

/** Collects the routes that are registered after it into an OpenAPI 3.1 document. */
export async function addOpenApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'coverrank',
        version,
        description:
          'Search ranking for short-video covers. Unknown fields are an error; every error is an RFC 9457 problem ' +
          'document. Keys are needed where the service has any configured.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: TAGS,
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
    transform: ({ schema, url, route }) => ({ schema: documented(schema, route.config), url }),
    refResolver: { buildLocalReference: (json, _base, _fragment, count) => String(json['$id'] ?? `schema-${count}`) },
    convertConstToEnum: false,
  });
  await app.register(swaggerUi, { routePrefix: DOCS_PREFIX, staticCSP: DOCS_CSP });
}

type RouteConfig =
  | { readonly scope?: string | readonly string[]; readonly public?: boolean; readonly documentedBody?: unknown }
  | undefined;

/** Scopes come from the same configuration that the hook reads, so that document and behaviour cannot differ. */
function documented<S extends object>(schema: S | undefined, config: RouteConfig): S & { security: object[] } {
  const scopes = config?.scope === undefined ? [] : [config.scope].flat();
  const security = config?.public === true ? [] : [{ key: [...scopes] }];
  const body = config?.documentedBody === undefined ? {} : { body: config.documentedBody };
  return { ...(schema ?? ({} as S)), ...body, security };
}
