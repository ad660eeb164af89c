import type { AddRoute } from '../../route.ts';

export const addOpenApiDocument: AddRoute = (app) => {
  app.get('/openapi.json', { schema: { hide: true }, config: { public: true } }, async () => app.swagger());
};
