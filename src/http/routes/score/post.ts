import { type CoverrankError, failure, isFailure } from '../../../core/errors.ts';
import { parseBase64 } from '../../../indexing/item.ts';
import type { PairScore, ScorePair } from '../../../ranking/score.ts';
import { holdPlace, workSignal } from '../../client-signal.ts';
import { LIMITS, TIMEOUTS } from '../../limits.ts';
import { itemProblem } from '../../problem.ts';
import { traceContext } from '../../request-identity.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { ScoreAnswer, ScoreBody } from '../../schemas/inference.ts';
import { coverIdErrors, queryErrors } from '../rank/parse.ts';

interface FailedPair {
  readonly error: CoverrankError;
}

const schema = {
  operationId: 'score',
  tags: ['ranking'],
  summary: 'All signals of pairs of a query and a cover',
  description: 'The cover is one of the index (id) or a picture. A pair that cannot be scored carries its error.',
  body: ScoreBody,
  response: {
    200: answer('The scores, in request order.', ScoreAnswer),
    ...problems({ body: true, codes: ['overloaded', 'deadline_exceeded'] }),
  },
};

export const addScore: AddRoute = (app, { lifecycle, gates, config }) => {
  app.post(
    '/score',
    { schema, config: { scope: 'rank', work: 'rank' }, bodyLimit: LIMITS.imageBodyBytes },
    async (request, reply) => {
      const pairs = parsePairs(request.body, config.limits.image_max_bytes);
      const { scorer } = lifecycle.services();
      const signal = workSignal(reply, TIMEOUTS.handlerMs);
      await holdPlace(gates.rank, reply, signal);
      request.raw.socket.setTimeout?.(0);
      const scores = (await scorer.score(pairs.filter(isPair), signal, traceContext(request.headers))).values();
      const inOrder = pairs.map((pair) => (isPair(pair) ? scores.next().value : pair));
      return { request_id: request.id, pairs: inOrder.map(presentScore) };
    },
  );
};

/** A pair whose picture cannot be read stands as its error, so that the others are scored. */
function parsePairs({ pairs }: ScoreBody, maxImageBytes: number): (ScorePair | FailedPair)[] {
  const errors = pairs.flatMap((pair, position) => [
    ...queryErrors(pair.query.trim(), `/pairs/${position}/query`),
    ...('id' in pair ? coverIdErrors(pair.id, `/pairs/${position}/id`) : []),
  ]);
  if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
  return pairs.map((pair, position) => {
    try {
      return { query: pair.query.trim(), image: imageOf(pair, position, maxImageBytes) };
    } catch (error) {
      if (isFailure(error)) return { error };
      throw error;
    }
  });
}

function imageOf(pair: ScoreBody['pairs'][number], position: number, maxImageBytes: number): ScorePair['image'] {
  if ('id' in pair) return { id: pair.id };
  if ('image_url' in pair) return { url: pair.image_url };
  return { bytes: parseBase64(pair.image_base64, maxImageBytes, `/pairs/${position}/image_base64`) };
}

function isPair(pair: ScorePair | FailedPair): pair is ScorePair {
  return 'query' in pair;
}

function presentScore(score: PairScore | undefined) {
  if (score === undefined) throw new Error('a pair has no score');
  if ('error' in score) return { error: itemProblem(score.error) };
  return { signals: { ...score.signals }, relevance_score: score.relevanceScore };
}
