import { failure } from '../../../core/errors.ts';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { CoverParams, DeleteAnswer } from '../../schemas/covers.ts';

const schema = {
  operationId: 'deleteCover',
  tags: ['covers'],
  summary: 'Delete a cover',
  description: 'Answers when the deletion is on disk and the cover is not found any more.',
  params: CoverParams,
  response: {
    200: answer('The cover is gone.', DeleteAnswer),
    ...problems({ codes: ['not_found', 'overloaded', 'storage_full'] }),
  },
};

export const addDeleteCover: AddRoute = (app, { lifecycle, gates, telemetry }) => {
  app.delete('/covers/:id', { schema, config: { scope: 'index', work: 'index' } }, async (request, reply) => {
    const { id } = request.params;
    const { indexer } = lifecycle.services();
    const signal = clientSignal(reply);
    await holdPlace(gates.index, reply, signal);
    // The same way as /index takes, so that writes of one id keep their order.
    const outcomes = indexer.index([{ id, delete: true }], { signal, until: 'searchable' });
    for await (const outcome of outcomes) {
      telemetry.indexed(outcome);
      if (outcome.error !== undefined) throw outcome.error;
      if (outcome.result === 'not_found') throw failure('not_found', 'There is no cover with this id.');
    }
    return { request_id: request.id, id, result: 'deleted' as const };
  });
};
