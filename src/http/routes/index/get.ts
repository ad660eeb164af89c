import type { IndexStatus } from '../../../core/ports.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { IndexStatusAnswer } from '../../schemas/covers.ts';

const schema = {
  operationId: 'getIndex',
  tags: ['indexing'],
  summary: 'State of the index',
  response: {
    200: answer('Numbers of covers and writes, and the state of the graph.', IndexStatusAnswer),
    ...problems(),
  },
};

export const addGetIndex: AddRoute = (app, { lifecycle }) => {
  app.get('/index', { schema, config: { scope: ['rank', 'index'] } }, async () =>
    presentStatus(lifecycle.services().index.status()),
  );
};

function presentStatus({ covers, deleted, bundle, sequence, durableSequence, graph, snapshot }: IndexStatus) {
  return {
    covers,
    deleted,
    bundle: { ...bundle },
    sequence,
    durable_sequence: durableSequence,
    graph: { ...graph },
    snapshot: snapshot === null ? null : { sequence: snapshot.sequence, created_at: snapshot.createdAt },
  };
}
