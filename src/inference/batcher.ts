import { abortFailure } from '../core/abort.ts';
import { failure } from '../core/errors.ts';

/** What became of one item: its result and how long it waited for its batch and ran in it. */
export interface Batched<R> {
  readonly result: R;
  readonly queueMs: number;
  readonly runMs: number;
}

export interface BatcherOptions<T, R> {
  /** Named in errors. */
  readonly name: string;
  /** Items that may wait; one more is refused as `overloaded`. */
  readonly maxQueued: number;
  /** Whether `next` still fits into a batch that holds `batch` already. A single item always runs. */
  readonly fits: (batch: readonly T[], next: T) => boolean;
  /** One result per item, in order. */
  readonly run: (batch: readonly T[]) => Promise<readonly R[]>;
}

export interface Batcher<T, R> {
  /** Rejects with `overloaded` when the queue is full and with the signal's reason when it fires before the run. */
  submit(item: T, signal: AbortSignal): Promise<Batched<R>>;
  readonly queued: number;
}

interface Entry<T, R> {
  readonly item: T;
  readonly signal: AbortSignal;
  readonly submittedAt: number;
  readonly resolve: (answer: Batched<R>) => void;
  readonly reject: (error: unknown) => void;
  readonly onAbort: () => void;
}

/**
 * Continuous batching in front of a model that runs one batch at a time: an idle model starts at once, so nobody ever
 * waits for company; what arrives while it is busy makes up the next batch, first come first served. Entries whose
 * signal fires while they wait leave the queue before they cost anything.
 */
export function createBatcher<T, R>(options: BatcherOptions<T, R>): Batcher<T, R> {
  let queue: Entry<T, R>[] = [];
  let isRunning = false;

  function submit(item: T, signal: AbortSignal): Promise<Batched<R>> {
    if (signal.aborted) return Promise.reject(abortFailure(signal));
    if (queue.length >= options.maxQueued) {
      return Promise.reject(
        failure('overloaded', `The queue of the ${options.name} is full.`, { retryAfterSeconds: 1 }),
      );
    }
    return new Promise((resolve, reject) => {
      const entry: Entry<T, R> = {
        item,
        signal,
        submittedAt: performance.now(),
        resolve,
        reject,
        onAbort: () => {
          queue = queue.filter((waiting) => waiting !== entry);
          reject(abortFailure(signal));
        },
      };
      signal.addEventListener('abort', entry.onAbort, { once: true });
      queue.push(entry);
      if (!isRunning) startBatch();
    });
  }

  function startBatch(): void {
    const batch = takeBatch();
    if (batch.length === 0) return;
    isRunning = true;
    void runBatch(batch).finally(() => {
      isRunning = false;
      startBatch();
    });
  }

  function takeBatch(): Entry<T, R>[] {
    const items: T[] = [];
    const batch: Entry<T, R>[] = [];
    for (const entry of queue) {
      if (batch.length > 0 && !options.fits(items, entry.item)) break;
      batch.push(entry);
      items.push(entry.item);
    }
    queue = queue.slice(batch.length);
    for (const entry of batch) entry.signal.removeEventListener('abort', entry.onAbort);
    return batch;
  }

  async function runBatch(batch: readonly Entry<T, R>[]): Promise<void> {
    const startedAt = performance.now();
    try {
      const results = await options.run(batch.map((entry) => entry.item));
      const runMs = performance.now() - startedAt;
      batch.forEach((entry, index) => {
        entry.resolve({ result: results[index] as R, queueMs: startedAt - entry.submittedAt, runMs });
      });
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    }
  }

  return {
    submit,
    get queued() {
      return queue.length;
    },
  };
}
