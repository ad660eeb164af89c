import { ServiceError } from './service-error.ts';

/** Runs `work` for each item, `limit` at a time, until all are done or the signal fires. */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, position: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [position, item] of queue) {
      if (signal.aborted) return;
      await work(item, position);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

const BUSY: ReadonlySet<string> = new Set(['overloaded', 'rate_limited']);
/** What a service says as well that is starting, or is leaving its place to another one. */
export const BUSY_OR_AWAY: ReadonlySet<string> = new Set([...BUSY, 'unavailable', 'draining']);
const TRIES = 5;

/** Tries again what a busy service refused with one of `codes`, as late as it asks for. */
export async function withPatience<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  codes = BUSY,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof ServiceError && codes.has(error.problem.code);
      if (!isBusy || tried === TRIES || signal?.aborted) throw error;
      await pause(1000 * (error.retryAfterSeconds ?? 1), signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
