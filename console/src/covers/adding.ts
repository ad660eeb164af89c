import { computed, type ReadonlySignal, signal } from '@preact/signals';
import { readBase64 } from '../service/base64.ts';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { inParallel, withPatience } from '../service/in-parallel.ts';
import { asServiceError, type Problem, type ServiceError } from '../service/service-error.ts';
import type { ItemOutcome } from '../service/types.ts';
import type { NewItem } from './new-items.ts';

export interface AddedItem {
  readonly id: string;
  readonly state: 'waiting' | 'running' | 'stopped' | 'failed' | NonNullable<ItemOutcome['result']>;
  readonly problem?: Problem;
}

/** Covers on their way into the index, item by item. */
export interface Adding {
  readonly items: ReadonlySignal<readonly AddedItem[]>;
  readonly isRunning: ReadonlySignal<boolean>;
  /** A refusal of the whole request, such as a key without the scope: it ends the run. */
  readonly error: ReadonlySignal<ServiceError | undefined>;
  add(items: readonly NewItem[]): Promise<void>;
  stop(): void;
  clear(): void;
}

/** One picture a request, so that each has its own progress; the service takes a few at once. */
const CONCURRENCY = 2;
/** Problems that every other item would meet as well. */
const ENDING = new Set(['unauthenticated', 'forbidden', 'network', 'draining', 'unavailable', 'storage_full']);

export function createAdding(client: ServiceClient, maxImageBytes: () => number): Adding {
  const items = signal<readonly AddedItem[]>([]);
  const isRunning = computed(() => items.value.some(({ state }) => state === 'waiting' || state === 'running'));
  const error = signal<ServiceError | undefined>(undefined);
  let running = new AbortController();

  function set(position: number, change: Omit<AddedItem, 'id'>): void {
    items.value = items.value.map((item, place) => (place === position ? { id: item.id, ...change } : item));
  }

  async function send(item: NewItem, stopped: AbortSignal): Promise<ItemOutcome | undefined> {
    const { id, source, title } = item;
    const picture = 'url' in source ? { image_url: source.url } : { image_base64: await readBase64(source.file) };
    const body = { items: [{ id, ...picture, ...(title === undefined ? {} : { title }) }] };
    const answer = await withPatience(stopped, () =>
      client.call<{ items: ItemOutcome[] }>('POST', '/index', { body, signal: stopped }),
    );
    return answer.items[0];
  }

  async function add(item: NewItem, position: number, stopped: AbortSignal): Promise<void> {
    set(position, { state: 'running' });
    if ('file' in item.source && item.source.file.size > maxImageBytes()) {
      set(position, { state: 'failed', problem: { code: 'too_large', detail: '' } });
      return;
    }
    try {
      const outcome = await send(item, stopped);
      if (outcome?.result !== undefined) set(position, { state: outcome.result });
      else set(position, { state: 'failed', problem: outcome?.error ?? { code: 'other', detail: '' } });
    } catch (caught) {
      if (isAbort(caught)) return set(position, { state: 'stopped' });
      const failed = asServiceError(caught);
      set(position, { state: 'failed', problem: failed.problem });
      if (!ENDING.has(failed.problem.code)) return;
      error.value = failed;
      running.abort();
    }
  }

  return {
    items,
    isRunning,
    error,
    async add(wanted) {
      const from = items.value.length;
      items.value = [...items.value, ...wanted.map(({ id }): AddedItem => ({ id, state: 'waiting' }))];
      if (running.signal.aborted) running = new AbortController();
      const { signal: stopped } = running;
      error.value = undefined;
      await inParallel(wanted, CONCURRENCY, stopped, (item, position) => add(item, from + position, stopped));
      items.value = items.value.map((item) =>
        stopped.aborted && item.state === 'waiting' ? { ...item, state: 'stopped' } : item,
      );
    },
    stop() {
      running.abort();
    },
    clear() {
      items.value = [];
      error.value = undefined;
    },
  };
}
