import { setTimeout as delay } from 'node:timers/promises';
import type { CoverrankError } from '../core/errors.ts';
import { startThread, type Thread, type ThreadMethods } from '../core/thread.ts';

/** A thread that is started again when it dies. */
export interface ThreadKeeper<M extends ThreadMethods> {
  /** The thread when it is up; undefined while it is being started again. */
  readonly current: Thread<M> | undefined;
  /** Ends the thread for good, after `last` was called on it. */
  close(last: (thread: Thread<M>) => Promise<unknown>): Promise<void>;
}

export interface ThreadKeeperOptions<M extends ThreadMethods> {
  readonly url: URL;
  readonly data: unknown;
  readonly name: string;
  /** Makes a thread ready for use; when it fails the thread is given up and, after the first start, another is tried. */
  prepare(thread: Thread<M>): Promise<void>;
  onDeath(error: CoverrankError): void;
  /** A thread that died could not be started again; it is tried again later. */
  onFailedStart(error: Error): void;
}

const FIRST_DELAY_MS = 50;
const LAST_DELAY_MS = 5_000;

/** Resolves once the thread is up and prepared; rejects when that fails, with nothing left running. */
export async function keepThread<M extends ThreadMethods>(options: ThreadKeeperOptions<M>): Promise<ThreadKeeper<M>> {
  let current: Thread<M> | undefined = await start();
  let closing = false;
  const stopWaiting = new AbortController();
  let restarting = Promise.resolve();
  watch(current);

  async function start(): Promise<Thread<M>> {
    const thread = await startThread<M>(options.url, options.data, { name: options.name });
    try {
      await options.prepare(thread);
      return thread;
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  function watch(thread: Thread<M>): void {
    thread.died.then((error) => {
      current = undefined;
      if (closing) return;
      options.onDeath(error);
      restarting = restart();
    });
  }

  async function restart(): Promise<void> {
    for (let waitMs = FIRST_DELAY_MS; !closing; waitMs = Math.min(2 * waitMs, LAST_DELAY_MS)) {
      await delay(waitMs, undefined, { signal: stopWaiting.signal }).catch(() => {});
      if (closing) return;
      try {
        current = await start();
        watch(current);
        return;
      } catch (cause) {
        options.onFailedStart(cause as Error);
      }
    }
  }

  return {
    get current() {
      return current;
    },
    async close(last) {
      closing = true;
      stopWaiting.abort();
      await restarting;
      if (current === undefined) return;
      await last(current).catch(() => {});
      await current.close();
    },
  };
}
