import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ERROR_CODES, failure } from '../../../core/errors.ts';
import type { HealthPart } from '../../app-services.ts';
import { PROBLEM_TYPE, problemOf } from '../../problem.ts';
import type { AddRoute } from '../../route.ts';
import { answer, type HealthPartSchema, problemsFor, refTo, strict } from '../../schemas/common.ts';

const config = { public: true, quiet: true } as const;
const StatusAnswer = strict({
  status: Type.String(),
  parts: Type.Optional(Type.Array(refTo<Type.Static<typeof HealthPartSchema>>('HealthPart'))),
});

const liveSchema = {
  operationId: 'livez',
  tags: ['operations'],
  summary: 'Whether the process works',
  response: { 200: answer('It does.', StatusAnswer) },
};

const readySchema = {
  operationId: 'readyz',
  tags: ['operations'],
  summary: 'Whether /rank can be answered now',
  querystring: strict({ verbose: Type.Optional(Type.String({ description: 'Tell every part; any value.' })) }),
  response: { 200: answer('It can.', StatusAnswer), ...problemsFor(['invalid_request', 'unavailable', 'draining']) },
};

const startupSchema = {
  operationId: 'startupz',
  tags: ['operations'],
  summary: 'Whether the start is over',
  response: { 200: answer('It is.', StatusAnswer), ...problemsFor(['unavailable']) },
};

export const addHealth: AddRoute = (app, { lifecycle }) => {
  app.get('/livez', { schema: liveSchema, config }, async () => ({ status: 'live' }));

  app.get('/startupz', { schema: startupSchema, config }, async () => {
    if (lifecycle.state === 'starting') throw failure('unavailable', 'The service is starting.');
    return { status: 'started' };
  });

  app.get('/readyz', { schema: readySchema, config }, async (request, reply) => {
    const { ready, parts } = lifecycle.health();
    const verbose = request.query.verbose === undefined ? {} : { parts: parts.map((part) => ({ ...part })) };
    if (ready) return { status: 'ready', ...verbose };
    return sendUnready(lifecycle.state === 'draining' ? 'draining' : 'unavailable', verbose, request, reply);
  });
};

/** The problem document with the parts in it, where they were asked for. */
function sendUnready(
  code: 'draining' | 'unavailable',
  verbose: { readonly parts?: readonly HealthPart[] },
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = failure(code, `${ERROR_CODES[code].title}.`);
  return reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .header('retry-after', 1)
    .send(JSON.stringify({ ...problemOf(error, request.id), ...verbose }));
}
