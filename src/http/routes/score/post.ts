import type { FastifyBaseLogger } from 'fastify';
import { type CoverrankError, failure, isFailure } from '../../../core/errors.ts';
import type { PairScore, ScorePair } from '../../../ranking/score.ts';
import { holdPlace, workSignal } from '../../client-signal.ts';
import { itemProblem } from '../../error-handler.ts';
import { LIMITS, TIMEOUTS } from '../../limits.ts';
import { bytesOf } from '../../pictures/picture-body.ts';
import { takePictureBodies } from '../../pictures/take-picture-bodies.ts';
import { traceContext } from '../../request-identity.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { ParsedScoreBody, ScoreAnswer, ScoreBody } from '../../schemas/inference.ts';
import { coverIdErrors, queryErrors } from '../rank/parse.ts';

interface FailedPair {
  readonly error: CoverrankError;
}

const schema = {
  operationId: 'score',
  tags: ['ranking'],
  summary: 'All signals of pairs of a query and a cover',
  description: 'The cover is one of the index (id) or a picture. A pair that cannot be scored carries its error.',
  body: ParsedScoreBody,
  response: {
    200: answer('The scores, in request order.', ScoreAnswer),
    ...problems({ body: true, codes: ['overloaded', 'deadline_exceeded'] }),
  },
};

export const addScore: AddRoute = (app, { lifecycle, gates, config }) => {
  takePictureBodies(app, config.limits.image_max_bytes);
  app.post(
    '/score',
    { schema, config: { scope: 'rank', work: 'rank', documentedBody: ScoreBody }, bodyLimit: LIMITS.imageBodyBytes },
    async (request, reply) => {
      const pairs = parsePairs(request.body);
      const { scorer } = lifecycle.services();
      const signal = workSignal(reply, TIMEOUTS.handlerMs);
      await holdPlace(gates.rank, reply, signal);
      request.raw.socket.setTimeout?.(0);
      const scores = (await scorer.score(pairs.filter(isPair), signal, traceContext(request.headers))).values();
      const inOrder = pairs.map((pair) => (isPair(pair) ? scores.next().value : pair));
      return { request_id: request.id, pairs: inOrder.map((score) => presentScore(score, request.log)) };
    },
  );
};

/** A pair whose picture cannot be read stands as its error, so that the others are scored. */
function parsePairs({ pairs }: ParsedScoreBody): (ScorePair | FailedPair)[] {
  const errors = pairs.flatMap((pair, position) => [
    ...queryErrors(pair.query.trim(), `/pairs/${position}/query`),
    ...('id' in pair ? coverIdErrors(pair.id, `/pairs/${position}/id`) : []),
  ]);
  if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
  return pairs.map((pair) => {
    try {
      return { query: pair.query.trim(), image: imageOf(pair) };
    } catch (error) {
      if (isFailure(error)) return { error };
      throw error;
    }
  });
}

function imageOf(pair: ParsedScoreBody['pairs'][number]): ScorePair['image'] {
  if ('id' in pair) return { id: pair.id };
  if ('image_url' in pair) return { url: pair.image_url };
  return { bytes: bytesOf(pair.image_base64) };
}

function isPair(pair: ScorePair | FailedPair): pair is ScorePair {
  return 'query' in pair;
}

function presentScore(score: PairScore | undefined, log: FastifyBaseLogger) {
  if (score === undefined) throw new Error('a pair has no score');
  if ('error' in score) return { error: itemProblem(score.error, log) };
  return { signals: { ...score.signals }, relevance_score: score.relevanceScore };
}
