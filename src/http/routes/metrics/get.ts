import type { AddRoute } from '../../route.ts';
import { problemsFor } from '../../schemas/common.ts';

const schema = {
  operationId: 'metrics',
  tags: ['operations'],
  summary: 'Metrics in the Prometheus text format',
  response: {
    200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
    ...problemsFor(['unauthenticated', 'forbidden', 'rate_limited', 'internal']),
  },
};

/** Needs `admin` where keys exist: the numbers tell a stranger about load and content. Prometheus can send a key. */
export const addMetrics: AddRoute = (app, { telemetry }) => {
  app.get('/metrics', { schema, config: { scope: 'admin', quiet: true } }, async (_request, reply) =>
    reply.type(telemetry.contentType).send(await telemetry.render()),
  );
};
