import { Type } from 'typebox';
import { failure } from '../../../core/errors.ts';
import type { AppConfig } from '../../app-services.ts';
import { clientSignal } from '../../client-signal.ts';
import { LIMITS } from '../../limits.ts';
import type { Peers } from '../../peers.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems, strict } from '../../schemas/common.ts';
import { RankAnswer, RankBody } from '../../schemas/rank.ts';
import { checkNesting } from '../rank/parse.ts';

const schema = {
  operationId: 'rankElsewhere',
  tags: ['ranking'],
  summary: 'The ranking of another service that is configured here',
  description:
    'For comparing bundles: the request and the answer are those of /rank, and the service is one of `peers`. ' +
    'GET /settings names them.',
  params: strict({ name: Type.String({ minLength: 1, maxLength: 64, description: 'One of `peers`.' }) }),
  body: RankBody,
  response: {
    200: answer('Its ranking.', RankAnswer),
    ...problems({ body: true, codes: ['not_found', 'overloaded', 'deadline_exceeded'] }),
  },
};

export const addRankElsewhere: AddRoute = async (app, { lifecycle, config }) => {
  const peers = await openPeers(config.peers);
  app.addHook('onClose', () => peers?.close());
  app.post(
    '/services/:name/rank',
    {
      schema,
      config: { scope: 'rank' },
      bodyLimit: LIMITS.rankBodyBytes,
      preValidation: async (request) => checkNesting(request.body),
    },
    async (request, reply) => {
      lifecycle.services();
      if (peers === undefined) throw failure('not_found', 'No service of this name is configured.');
      return peers.rank(request.params.name, request.body, clientSignal(reply));
    },
  );
};

/** What asks others is loaded only where there are any. */
async function openPeers(settings: AppConfig['peers']): Promise<Peers | undefined> {
  if (settings.length === 0) return undefined;
  const { createPeers } = await import('../../peers.ts');
  return createPeers(settings);
}
