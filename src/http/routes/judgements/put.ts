import { failure } from '../../../core/errors.ts';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { PutJudgementsAnswer, PutJudgementsBody } from '../../schemas/judgements.ts';
import { coverIdErrors, queryErrors, unicodeErrors } from '../rank/parse.ts';

const schema = {
  operationId: 'putJudgements',
  tags: ['judgements'],
  summary: 'Judge covers',
  description:
    'Answered once all of them are on disk. A pair that was judged before gets the new grade. The covers need not be ' +
    'in the index.',
  body: PutJudgementsBody,
  response: {
    200: answer('How many were new.', PutJudgementsAnswer),
    ...problems({ body: true, codes: ['overloaded', 'storage_full'] }),
  },
};

/** `index`, since it writes: whoever may change covers may also say what they are worth. */
export const addPutJudgements: AddRoute = (app, { lifecycle, gates }) => {
  app.put('/judgements', { schema, config: { scope: 'index', work: 'index' } }, async (request, reply) => {
    const judged = request.body.judgements.map((judgement) => ({ ...judgement, query: judgement.query.trim() }));
    const errors = judged.flatMap(({ query, id }, position) => [
      ...queryErrors(query, `/judgements/${position}/query`),
      ...unicodeErrors(query, `/judgements/${position}/query`),
      ...coverIdErrors(id, `/judgements/${position}/id`),
      ...unicodeErrors(id, `/judgements/${position}/id`),
    ]);
    if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
    const { judgements } = lifecycle.services();
    await holdPlace(gates.index, reply, clientSignal(reply));
    return { request_id: request.id, ...(await judgements.put(judged.map(graded))) };
  });
};

/** The schema lets nothing but 0, 1 and 2 through. */
function graded<T extends { readonly grade: number }>(judgement: T): T & { readonly grade: 0 | 1 | 2 } {
  return judgement as T & { readonly grade: 0 | 1 | 2 };
}
