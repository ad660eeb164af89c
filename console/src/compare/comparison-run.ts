import { type ReadonlySignal, signal } from '@preact/signals';
import { type RankSettings, rankPath, rankRequest } from '../ranking/rank-settings.ts';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { inParallel, withPatience } from '../service/in-parallel.ts';
import { allGrades, type Grades } from '../service/judgements.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import type { Ranking } from '../service/types.ts';
import { type Agreement, agreementOf } from './agreement-of.ts';

export interface ComparedQuery {
  readonly query: string;
  readonly agreement: Agreement;
  /** Whether the side's answer lost something, such as covers that were to be reranked. */
  readonly isDegraded: { readonly a: boolean; readonly b: boolean };
}

/** Two settings over a query set. */
export interface ComparisonRun {
  readonly compared: ReadonlySignal<readonly ComparedQuery[]>;
  /** Queries that are through, failed ones among them. */
  readonly done: ReadonlySignal<number>;
  readonly total: ReadonlySignal<number>;
  readonly failed: ReadonlySignal<number>;
  readonly isRunning: ReadonlySignal<boolean>;
  /** The last of the queries that failed, or what ended the run. */
  readonly error: ReadonlySignal<ServiceError | undefined>;
  start(queries: readonly string[], a: RankSettings, b: RankSettings): Promise<void>;
  /** What was compared until then stays. */
  stop(): void;
}

/** Queries at once; each asks for two rankings. Leaves room for those who search meanwhile. */
const CONCURRENCY = 3;

export function createComparisonRun(client: ServiceClient): ComparisonRun {
  const compared = signal<readonly ComparedQuery[]>([]);
  const done = signal(0);
  const total = signal(0);
  const failed = signal(0);
  const isRunning = signal(false);
  const error = signal<ServiceError | undefined>(undefined);
  let running = new AbortController();

  function fail(caught: unknown): void {
    if (isAbort(caught)) return;
    error.value = asServiceError(caught);
  }

  async function compare(
    query: string,
    [a, b]: readonly [RankSettings, RankSettings],
    grades: Grades | undefined,
    stopped: AbortSignal,
  ): Promise<void> {
    const rank = (settings: RankSettings): Promise<Ranking> =>
      withPatience(stopped, () =>
        client.call('POST', rankPath(settings), {
          body: { ...rankRequest(query, settings), include: [] },
          signal: stopped,
        }),
      );
    try {
      const [rankingA, rankingB] = await Promise.all([rank(a), rank(b)]);
      const isDegraded = { a: rankingA.degraded.length > 0, b: rankingB.degraded.length > 0 };
      compared.value = [...compared.value, { query, agreement: agreementOf(rankingA, rankingB, grades), isDegraded }];
    } catch (caught) {
      if (stopped.aborted) return;
      failed.value += 1;
      fail(caught);
    }
    done.value += 1;
  }

  return {
    compared,
    done,
    total,
    failed,
    isRunning,
    error,
    async start(queries, a, b) {
      running.abort();
      running = new AbortController();
      const { signal: stopped } = running;
      compared.value = [];
      done.value = 0;
      failed.value = 0;
      total.value = queries.length;
      error.value = undefined;
      isRunning.value = true;
      try {
        const grades = await allGrades(client, stopped);
        await inParallel(queries, CONCURRENCY, stopped, (query) => compare(query, [a, b], grades.get(query), stopped));
      } catch (caught) {
        fail(caught);
      } finally {
        if (!stopped.aborted) isRunning.value = false;
      }
    },
    stop() {
      running.abort();
      isRunning.value = false;
    },
  };
}
