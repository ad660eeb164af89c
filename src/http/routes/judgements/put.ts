import { failure } from '../../../core/errors.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { PutJudgementsAnswer, PutJudgementsBody } from '../../schemas/judgements.ts';
import { coverIdErrors, queryErrors } from '../rank/parse.ts';

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
    ...problems({ body: true, codes: ['storage_full'] }),
  },
};

/** `index`, since it writes: whoever may change covers may also say what they are worth. */
export const addPutJudgements: AddRoute = (app, { lifecycle }) => {
  app.put('/judgements', { schema, config: { scope: 'index' } }, async (request) => {
    const judged = request.body.judgements.map((judgement) => ({ ...judgement, query: judgement.query.trim() }));
    const errors = judged.flatMap(({ query, id }, position) => [
      ...queryErrors(query, `/judgements/${position}/query`),
      ...coverIdErrors(id, `/judgements/${position}/id`),
    ]);
    if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
    return { request_id: request.id, ...(await lifecycle.services().judgements.put(judged.map(graded))) };
  });
};

/** The schema lets nothing but 0, 1 and 2 through. */
function graded<T extends { readonly grade: number }>(judgement: T): T & { readonly grade: 0 | 1 | 2 } {
  return judgement as T & { readonly grade: 0 | 1 | 2 };
}
