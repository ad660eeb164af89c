import { setMaxListeners } from 'node:events';
import type { FastifyReply } from 'fastify';
import { startDeadline } from '../ranking/deadline.ts';
import type { Gate, Place } from './admission.ts';

/**
 * A signal that fires when the client leaves before it got its answer. Not `request.signal`: Fastify ties that to the
 * request stream, which closes as soon as its body has been read.
 */
export function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const { raw } = reply;
  if (raw.destroyed && !raw.writableFinished) controller.abort();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/**
 * The client's signal together with a limit on the time that the work may take from now on. Not `AbortSignal.timeout`:
 * joined with another signal it may be collected as garbage before it fires.
 */
export function workSignal(reply: FastifyReply, timeoutMs: number): AbortSignal {
  const deadline = startDeadline(timeoutMs, clientSignal(reply));
  reply.raw.once('finish', deadline.clear).once('close', deadline.clear);
  // One request may hold a thousand pairs that all listen; Node takes more than ten listeners for a leak.
  setMaxListeners(0, deadline.signal);
  return deadline.signal;
}

/** Waits for a place (see `Gate`) and holds it until the answer is out or the client gone. */
export async function holdPlace(
  gate: Gate,
  reply: FastifyReply,
  signal: AbortSignal,
  patienceMs?: number,
): Promise<Place> {
  const place = await gate.enter(signal, patienceMs);
  if (reply.raw.destroyed) place.leave();
  reply.raw.once('finish', place.leave).once('close', place.leave);
  return place;
}
