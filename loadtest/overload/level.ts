import { failureReason, type ServiceClient } from '../client.ts';
import { createTimeHistogram } from '../histogram.ts';
import type { RankRequest } from '../mix.ts';
import { runOpenLoop } from '../open-loop.ts';
import { createRandom } from '../random.ts';
import { createRankRecorder } from '../recorder.ts';
import { type Watched, watchService } from './watch.ts';

/** What one level of load did. */
export interface Level extends Watched {
  /** Times the rate at saturation. */
  readonly load: number;
  readonly ratePerSecond: number;
  readonly requests: number;
  readonly answered: number;
  readonly refused: number;
  /** Other statuses than 200 and 429, and requests without an answer, by name. */
  readonly others: Readonly<Record<string, number>>;
  readonly degraded: Readonly<Record<string, number>>;
  readonly answeredMs: { readonly p50: number; readonly p99: number };
  /** Null where nothing was refused. */
  readonly refusedMs: { readonly p50: number; readonly p99: number } | null;
}

export interface LevelOptions {
  readonly load: number;
  readonly saturationPerSecond: number;
  readonly seconds: number;
  readonly seed: number;
  readonly next: () => RankRequest;
  readonly client: ServiceClient;
  /** With sockets of its own: probes must not wait for those that load takes. */
  readonly watcher: ServiceClient;
}

/** Sends at `load` times the rate of saturation, whatever comes back, and watches meanwhile. */
export async function runLevel(options: LevelOptions): Promise<Level> {
  const { load, seconds, seed, next, client, watcher } = options;
  const ratePerSecond = load * options.saturationPerSecond;
  const recorder = createRankRecorder();
  const refusals = createTimeHistogram();
  const end = new AbortController();
  const watching = watchService(watcher, end.signal);

  const send = async (dueAt: number): Promise<void> => {
    const { kind, body } = next();
    try {
      const answer = await client.post('/rank', body);
      const latencyMs = performance.now() - dueAt;
      if (answer.status === 429) refusals.record(latencyMs);
      recorder.answered({ kind, ...answer, latencyMs });
    } catch (error) {
      recorder.failed(failureReason(error), kind);
    }
  };
  await runOpenLoop(send, { ratePerSecond, seconds, random: createRandom(seed) });
  end.abort();

  const { rank } = recorder.finish(seconds);
  const { '200': answered = 0, '429': refused = 0 } = rank.statuses;
  return {
    ...(await watching),
    load,
    ratePerSecond,
    requests: rank.requests,
    answered,
    refused,
    others: { ...withoutOverload(rank.refused), ...rank.failures },
    degraded: rank.degraded,
    answeredMs: { p50: rank.latencyMs.p50, p99: rank.latencyMs.p99 },
    refusedMs: refusals.count === 0 ? null : { p50: refusals.percentileMs(50), p99: refusals.percentileMs(99) },
  };
}

function withoutOverload(refused: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(refused).filter(([name]) => !name.startsWith('429')));
}
