import { failure } from '../../../core/errors.ts';
import { clientSignal, holdPlace, workSignal } from '../../client-signal.ts';
import { LIMITS } from '../../limits.ts';
import { traceContext } from '../../request-identity.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { RankAnswer, RankBody } from '../../schemas/rank.ts';
import { checkNesting, checkWeights, parseRank } from './parse.ts';
import { fullTimings, presentRanking, serverTiming } from './present.ts';

const schema = {
  operationId: 'rank',
  tags: ['ranking'],
  summary: 'Rank covers for a query',
  description:
    'Embeds the query, recalls covers, reranks the best and answers by the deadline with what was done until then. ' +
    'The header Server-Timing carries the time of each stage.',
  body: RankBody,
  response: {
    200: {
      ...answer('The ranking.', RankAnswer),
      headers: { 'Server-Timing': { type: 'string', description: 'Milliseconds of each stage: `recall;dur=0.8, …`' } },
    },
    ...problems({ body: true, codes: ['overloaded', 'deadline_exceeded'] }),
  },
};

/** Share of its time that a request may be expected to wait; one that would wait longer is refused at once. */
const PATIENCE = 0.4;

export const addRank: AddRoute = (app, { lifecycle, gates, brownOut, telemetry }) => {
  app.post(
    '/rank',
    {
      schema,
      config: { scope: 'rank', work: 'rank' },
      bodyLimit: LIMITS.rankBodyBytes,
      preValidation: async (request) => checkNesting(request.body),
    },
    async (request, reply) => {
      const wanted = parseRank(request.body);
      const { ranker } = lifecycle.services();
      checkWeights(wanted.weights, ranker.signals);
      const client = clientSignal(reply);
      const timeLeft = remaining();
      const { queuedMs } = await holdPlace(gates.rank, reply, workSignal(reply, timeLeft), PATIENCE * timeLeft);
      const rerankShare = brownOut.admit(queuedMs / timeLeft);
      const ranking = await ranker.rank(
        { ...wanted, rerankShare, deadlineMs: remaining(), trace: traceContext(request.headers) },
        client,
      );
      const timings = fullTimings(ranking.timingsMs, queuedMs, reply.elapsedTime);
      telemetry.ranked(ranking, queuedMs);
      reply.header('server-timing', serverTiming(timings));
      return presentRanking(ranking, {
        requestId: request.id,
        query: wanted.query,
        include: request.body.include,
        timings,
      });

      /** The deadline counts from the request's arrival, so reading and waiting are part of it. */
      function remaining(): number {
        const ms = wanted.deadlineMs - reply.elapsedTime;
        if (ms <= 0) throw failure('deadline_exceeded', 'The deadline passed before the ranking could start.');
        return ms;
      }
    },
  );
};
