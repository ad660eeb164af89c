import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import type { Ranking, RankRequest } from '../service/types.ts';
import { type RankSettings, rankPath, rankRequest } from './rank-settings.ts';

/** A ranking with the request that it answers. */
export interface Answered {
  readonly path: string;
  readonly request: RankRequest;
  readonly ranking: Ranking;
}

/** A query that is ranked while it is typed. The last answer stays until the next one is there. */
export interface RankedQuery {
  readonly query: ReadonlySignal<string>;
  readonly settings: Signal<RankSettings>;
  readonly answered: ReadonlySignal<Answered | undefined>;
  readonly error: ReadonlySignal<ServiceError | undefined>;
  readonly busy: ReadonlySignal<boolean>;
  /** Ranks once nothing was typed for a moment; an answer still under way is given up. */
  type(query: string): void;
  /** Ranks now what is typed. */
  ask(): Promise<void>;
}

const PAUSE_MS = 180;

export function createRankedQuery(client: ServiceClient, first: RankSettings, pauseMs = PAUSE_MS): RankedQuery {
  const query = signal('');
  const settings = signal(first);
  const answered = signal<Answered | undefined>(undefined);
  const error = signal<ServiceError | undefined>(undefined);
  const busy = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = new AbortController();

  function stop(): void {
    clearTimeout(timer);
    running.abort();
    running = new AbortController();
    busy.value = false;
  }

  async function ask(): Promise<void> {
    stop();
    const text = query.value.trim();
    if (text === '') {
      answered.value = undefined;
      error.value = undefined;
      return;
    }
    const { signal: stopped } = running;
    const request = rankRequest(text, settings.value);
    const path = rankPath(settings.value);
    busy.value = true;
    try {
      const ranking = await client.call<Ranking>('POST', path, { body: request, signal: stopped });
      if (stopped.aborted) return;
      answered.value = { path, request, ranking };
      error.value = undefined;
    } catch (failed) {
      if (stopped.aborted || isAbort(failed)) return;
      error.value = asServiceError(failed);
    } finally {
      if (!stopped.aborted) busy.value = false;
    }
  }

  return {
    query,
    settings,
    answered,
    error,
    busy,
    type(text) {
      if (text === query.value) return;
      query.value = text;
      clearTimeout(timer);
      if (text.trim() === '') void ask();
      else timer = setTimeout(() => void ask(), pauseMs);
    },
    ask,
  };
}
