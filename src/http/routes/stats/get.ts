import type { AddRoute } from '../../route.ts';
import { answer, problemsFor } from '../../schemas/common.ts';
import { StatsAnswer } from '../../schemas/stats.ts';

const schema = {
  operationId: 'getStats',
  tags: ['operations'],
  summary: 'Load and latencies, for people who watch',
  description: 'A part of /metrics as JSON. Everything counts from the start of the process.',
  response: {
    200: answer('The numbers.', StatsAnswer),
    ...problemsFor(['unauthenticated', 'forbidden', 'internal']),
  },
};

/** Needs `admin` as /metrics does, for the same reason. */
export const addGetStats: AddRoute = (app, { telemetry }) => {
  app.get('/stats', { schema, config: { scope: 'admin', quiet: true } }, async () => telemetry.stats());
};
