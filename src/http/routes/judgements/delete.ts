import { failure } from '../../../core/errors.ts';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { DeleteJudgementAnswer, PairParams } from '../../schemas/judgements.ts';

const schema = {
  operationId: 'deleteJudgement',
  tags: ['judgements'],
  summary: 'Take a judgement back',
  querystring: PairParams,
  response: {
    200: answer('It is gone.', DeleteJudgementAnswer),
    ...problems({ codes: ['not_found', 'overloaded', 'storage_full'] }),
  },
};

export const addDeleteJudgement: AddRoute = (app, { lifecycle, gates }) => {
  app.delete('/judgements', { schema, config: { scope: 'index', work: 'index' } }, async (request, reply) => {
    const { query, id } = request.query;
    const { judgements } = lifecycle.services();
    await holdPlace(gates.index, reply, clientSignal(reply));
    if (!(await judgements.remove(query.trim(), id))) {
      throw failure('not_found', 'There is no judgement of this cover for this query.');
    }
    return { request_id: request.id, result: 'deleted' as const };
  });
};
