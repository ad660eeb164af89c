import type { ServiceClient } from '../../client.ts';
import { parseEventLoopDelay, parseGcSeconds } from '../../metrics.ts';
import type { Report } from '../../report.ts';

export interface MainThread {
  /** Counted by the service from the last time it was asked. */
  readonly delayMs: NonNullable<Report['eventLoopDelayMs']>;
  /** Spent on garbage collection since its start. */
  readonly gcSeconds: number;
}

/** How the main thread of a service fares, by its `/metrics`. */
export async function lookAtMainThread(client: ServiceClient): Promise<MainThread> {
  const { body } = await client.get('/metrics');
  const delayMs = parseEventLoopDelay(body);
  if (delayMs === null) throw new Error('/metrics does not tell the event-loop delay.');
  return { delayMs, gcSeconds: parseGcSeconds(body) };
}
