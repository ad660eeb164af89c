import { createServiceClient, failureReason, type ServiceClient } from '../../client.ts';
import { runClosedLoop } from '../../closed-loop.ts';
import { type RankParameters, type RankRequest, rankBody } from '../../mix.ts';
import { runOpenLoop } from '../../open-loop.ts';
import { createRandom } from '../../random.ts';
import { createRankRecorder, type RankMeasurements, type RankRecorder } from '../../recorder.ts';

/** Enough that the service's own queue fills before ours does. */
const CONNECTIONS = 1024;
/** A bound for what hangs, not for what is slow: that is what is measured. */
const TIMEOUT_MS = 300_000;

/** Something that answers `POST /rank`, and ways to load it. What is not answered with 200 is an error unless it may be refused. */
export interface LoadTarget {
  readonly client: ServiceClient;
  /** One request after the other. */
  alone(parameters: RankParameters, requests: number): Promise<RankMeasurements>;
  /** `connections` that each send their next request when the last was answered. */
  saturated(parameters: RankParameters, connections: number, seconds: number): Promise<RankMeasurements>;
  /** Arrivals at a mean rate that wait for nobody; latency counts from when a request was due. */
  atRate(parameters: RankParameters, arrivals: Arrivals): Promise<RankMeasurements>;
  close(): Promise<void>;
}

export interface Arrivals {
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Whether answers 429 are figures, and not an error. */
  readonly mayRefuse?: boolean;
}

export function createLoadTarget(url: string, nextQuery: () => string): LoadTarget {
  const client = createServiceClient({ url, headers: {}, connections: CONNECTIONS, timeoutMs: TIMEOUT_MS });
  let arrivals = 0;
  const request = (parameters: RankParameters): RankRequest => ({
    kind: parameters.rerankK > 0 ? 'rerank-fresh' : 'rank-fresh',
    body: rankBody(nextQuery(), parameters),
  });
  const send = async (recorder: RankRecorder, { kind, body }: RankRequest, dueAt: number): Promise<void> => {
    try {
      const answer = await client.post('/rank', body);
      recorder.answered({ kind, ...answer, latencyMs: performance.now() - dueAt });
    } catch (error) {
      recorder.failed(failureReason(error), kind);
    }
  };

  return {
    client,
    async alone(parameters, requests) {
      const startedAt = performance.now();
      const recorder = createRankRecorder();
      for (let i = 0; i < requests; i++) await send(recorder, request(parameters), performance.now());
      return answeredOnly(recorder.finish((performance.now() - startedAt) / 1000));
    },
    async saturated(parameters, connections, seconds) {
      const recorder = createRankRecorder();
      const options = { url, headers: {}, connections, seconds, timeoutMs: TIMEOUT_MS };
      await runClosedLoop(() => request(parameters), recorder, options);
      return answeredOnly(recorder.finish(seconds));
    },
    async atRate(parameters, { ratePerSecond, seconds, mayRefuse = false }) {
      const recorder = createRankRecorder();
      const random = createRandom(++arrivals);
      await runOpenLoop((dueAt) => send(recorder, request(parameters), dueAt), { ratePerSecond, seconds, random });
      return answeredOnly(recorder.finish(seconds), mayRefuse);
    },
    close: () => client.close(),
  };
}

/** Refusals are fast: figures of a run that has any would flatter, unless they are told as well. */
function answeredOnly(measured: RankMeasurements, mayRefuse = false): RankMeasurements {
  const { refused, failures, statuses } = measured.rank;
  const lost = [...Object.entries(refused), ...Object.entries(failures)].filter(
    ([name]) => !(mayRefuse && name.startsWith('429')),
  );
  if (lost.length > 0) throw new Error(`Not all requests were answered: ${JSON.stringify(Object.fromEntries(lost))}.`);
  if ((statuses['200'] ?? 0) === 0) throw new Error('No request was answered in the time of a round.');
  return measured;
}
