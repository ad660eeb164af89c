import type { Judgement } from '../../../core/types.ts';
import { LIMITS } from '../../limits.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { JudgementsAnswer, JudgementsParams } from '../../schemas/judgements.ts';

const schema = {
  operationId: 'getJudgements',
  tags: ['judgements'],
  summary: 'What people judged',
  description: 'The judgements of one query, or the first of all. GET /judgements/export has no limit.',
  querystring: JudgementsParams,
  response: { 200: answer('The judgements.', JudgementsAnswer), ...problems() },
};

export const addGetJudgements: AddRoute = (app, { lifecycle }) => {
  app.get('/judgements', { schema, config: { scope: ['rank', 'index'] } }, async (request) => {
    const { judgements } = lifecycle.services();
    const limit = Math.min(Number(request.query.limit ?? LIMITS.judgements), LIMITS.judgements);
    const { judgements: total, queries } = judgements.counts();
    return {
      request_id: request.id,
      queries,
      total,
      judgements: [...firstOf(judgements.list(request.query.query?.trim()), limit)].map(present),
    };
  });
};

function* firstOf<T>(items: Iterable<T>, limit: number): Iterable<T> {
  let taken = 0;
  for (const item of items) {
    if (taken === limit) return;
    taken += 1;
    yield item;
  }
}

function present({ judgedAtMs, ...judgement }: Judgement): JudgementsAnswer['judgements'][number] {
  return { ...judgement, judged_at: new Date(judgedAtMs).toISOString() };
}
