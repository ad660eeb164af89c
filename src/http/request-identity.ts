import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TraceContext } from '../core/types.ts';
import { LIMITS } from './limits.ts';

const REQUEST_ID = new RegExp(`^[A-Za-z0-9._:+/=@-]{1,${LIMITS.requestIdCharacters}}$`);
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** The caller's `X-Request-Id` where it is one that may go into a header and a log line, otherwise a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/**
 * The trace id of a W3C `traceparent`, undefined where there is none or it is not valid (then it is ignored, as the
 * recommendation asks). Version 00 ends after the flags; later versions may carry more.
 */
export function traceId(headers: IncomingHttpHeaders): string | undefined {
  const header = headers['traceparent'];
  if (typeof header !== 'string') return undefined;
  if (header.startsWith('00') && header.length !== 55) return undefined;
  return TRACEPARENT.exec(header)?.[1];
}

/** What a server that works for this request is told of its trace; undefined where `traceId` is. */
export function traceContext(headers: IncomingHttpHeaders): TraceContext | undefined {
  const { traceparent, tracestate } = headers;
  if (typeof traceparent !== 'string' || traceId(headers) === undefined) return undefined;
  return { traceparent, ...(typeof tracestate === 'string' && tracestate !== '' ? { tracestate } : {}) };
}

export function addIdentityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => setIdentityHeaders(request, reply));
}

/** Every answer names its request and forbids that its content be taken for another type. */
export function setIdentityHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
}
