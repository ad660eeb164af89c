import type { FastifyRequest } from 'fastify';
import { clientSignal, holdPlace } from '../../client-signal.ts';
import { LIMITS } from '../../limits.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { ImportAnswer, ImportBody } from '../../schemas/judgements.ts';
import type { ImportFile } from './import-file.ts';
import { createImportReader } from './import-reader.ts';

const schema = {
  operationId: 'importJudgements',
  tags: ['judgements'],
  summary: 'Take in a file of judgements',
  description:
    'Rows that cannot be used are left out and told. Of rows that judge the same pair the last counts, and it takes ' +
    'the place of a judgement that is already kept.',
  body: ImportBody,
  response: {
    200: answer('What was taken in.', ImportAnswer),
    ...problems({ body: true, codes: ['overloaded', 'storage_full'] }),
  },
};

export const addImportJudgements: AddRoute = (app, { lifecycle, gates }) => {
  const reader = createImportReader();
  app.addHook('onClose', () => reader.close());
  /** What requests were sent, whose bodies are no more than outlines. */
  const files = new WeakMap<FastifyRequest, ImportFile>();
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      const { outline, file } = await reader.open(bytes);
      if (file !== undefined) files.set(request, file);
      return outline;
    },
  );

  app.post(
    '/judgements/import',
    { schema, config: { scope: 'index', work: 'index' }, bodyLimit: LIMITS.judgementsBodyBytes },
    async (request, reply) => {
      const { judgements: store } = lifecycle.services();
      await holdPlace(gates.index, reply, clientSignal(reply));
      // A million rows may take longer than a connection may be idle.
      request.raw.socket.setTimeout?.(0);
      const file = files.get(request);
      if (file === undefined) throw new Error('a body without a text passed validation');
      const { judgements, format, problems } = await reader.read(file, store);
      return { request_id: request.id, format, ...(await store.putPacked(judgements)), problems };
    },
  );
};
