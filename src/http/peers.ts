import { Value } from 'typebox/value';
import { Agent, request } from 'undici';
import { type CoverrankError, type FieldError, failure, isFailure } from '../core/errors.ts';
import { startDeadline } from '../ranking/deadline.ts';
import type { PeerSettings } from './app-services.ts';
import { ProblemSchema } from './schemas/common.ts';
import { RankAnswer, type RankBody } from './schemas/rank.ts';

/** Other services that the configuration names. Nothing that a request holds becomes a part of an address. */
export interface Peers {
  readonly names: readonly string[];
  /**
   * The ranking of the service `name`, in its form. Rejects with `not_found` for a name that is not configured,
   * `invalid_request` and `overloaded` as that service does, `deadline_exceeded` and else `unavailable`.
   */
  rank(name: string, body: RankBody, signal: AbortSignal): Promise<RankAnswer>;
  close(): Promise<void>;
}

/** What the way there and back may take beyond the deadline that the other service keeps. */
const TRAVEL_MS = 2_000;
const CONNECT_MS = 2_000;
/** 1,000 hits with attributes of 8 KiB and what stands around them. */
const ANSWER_MAX_BYTES = 16 * 1024 * 1024;

export function createPeers(settings: readonly PeerSettings[]): Peers {
  const agent = new Agent({ connect: { timeout: CONNECT_MS }, maxResponseSize: ANSWER_MAX_BYTES });
  const byName = new Map(settings.map((peer) => [peer.name, peer]));

  async function rank(name: string, body: RankBody, caller: AbortSignal): Promise<RankAnswer> {
    const peer = byName.get(name);
    if (peer === undefined) throw failure('not_found', 'No service of this name is configured.');
    const deadline = startDeadline(body.deadline_ms + TRAVEL_MS, caller);
    try {
      const { statusCode, body: answer } = await request(new URL('/rank', peer.url), {
        dispatcher: agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(peer.key === undefined ? {} : { authorization: `Bearer ${peer.key}` }),
        },
        body: JSON.stringify(body),
        signal: deadline.signal,
      });
      const json: unknown = await answer.json();
      if (statusCode !== 200) throw refusalOf(name, json);
      const ranking = Value.Clean(RankAnswer, json);
      if (Value.Check(RankAnswer, ranking)) return ranking;
      throw failure('unavailable', `The service ${name} answered with something that is no ranking.`);
    } catch (error) {
      if (isFailure(error)) throw error;
      if (caller.aborted) throw failure('cancelled', 'The client left.', { cause: error });
      if (deadline.signal.aborted) {
        throw failure('deadline_exceeded', `The service ${name} did not answer in time.`, { cause: error });
      }
      throw failure('unavailable', `The service ${name} cannot be reached.`, { cause: error });
    } finally {
      deadline.clear();
    }
  }

  return { names: [...byName.keys()], rank, close: () => agent.close() };
}

/** What a caller here can mend is told; that the configured key is refused, say, only an operator can. */
function refusalOf(name: string, json: unknown): CoverrankError {
  const problem = Value.Check(ProblemSchema.properties.code, Object(json).code)
    ? (json as { readonly code: string; readonly errors?: unknown })
    : undefined;
  switch (problem?.code) {
    case 'invalid_request':
      return failure('invalid_request', `The service ${name} does not take this request.`, {
        errors: fieldErrors(problem.errors),
      });
    case 'overloaded':
      return failure('overloaded', `Too many requests are waiting at the service ${name}.`);
    case 'deadline_exceeded':
      return failure('deadline_exceeded', `The service ${name} could not keep the deadline.`);
    case 'unauthenticated':
    case 'forbidden':
      return failure('unavailable', `The service ${name} does not accept the key that is configured for it.`);
    default:
      return failure('unavailable', `The service ${name} is not available now.`);
  }
}

function fieldErrors(value: unknown): FieldError[] {
  return Value.Check(ProblemSchema.properties.errors, value) ? [...(value ?? [])] : [];
}
