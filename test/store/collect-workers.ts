import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';

/** The threads started from here on, in order: an index starts the writer, the graph, and those that replace them. */
export function collectWorkers(t: TestContext): Worker[] {
  const workers: Worker[] = [];
  const collect = (message: unknown): void => void workers.push((message as { worker: Worker }).worker);
  subscribe('worker_threads', collect);
  t.after(() => unsubscribe('worker_threads', collect));
  return workers;
}
