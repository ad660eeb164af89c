import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { effectiveDepths, FIRST_SETTINGS, type RankSettings } from '../ranking/rank-settings.ts';
import { weigh } from '../ranking/weigh.ts';
import { readBase64 } from '../service/base64.ts';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { type Problem, ServiceError } from '../service/service-error.ts';
import type { Hit, PairScore, Ranking, Settings, Weights } from '../service/types.ts';
import { type Place, placeOf } from './place.ts';

/** What is asked about: a cover of the index, or a picture. */
export type Asked = { readonly id: string } | { readonly picture: File };

export interface Explained {
  readonly query: string;
  readonly asked: Asked;
  readonly signals: Weights;
  readonly weights: Weights;
  readonly score: number;
  readonly place: Place;
  /** The depths that the place holds for. */
  readonly recallK: number;
  readonly rerankK: number;
  /** The best covers of the query, as the ranking with these depths has them. */
  readonly hits: readonly Hit[];
}

export interface Explanation {
  readonly explained: ReadonlySignal<Explained | undefined>;
  /** What went wrong: with the call, or with the one pair. */
  readonly error: ReadonlySignal<ServiceError | undefined>;
  readonly busy: ReadonlySignal<boolean>;
  ask(query: string, asked: Asked): Promise<void>;
}

/** Time enough to recall deep. */
const DEADLINE_MS = 20_000;

export function createExplanation(client: ServiceClient, known: Signal<Settings | undefined>): Explanation {
  const explained = signal<Explained | undefined>(undefined);
  const error = signal<ServiceError | undefined>(undefined);
  const busy = signal(false);
  let running = new AbortController();

  async function explain(query: string, asked: Asked, stopped: AbortSignal): Promise<Explained> {
    const settings = known.value ?? (await client.call<Settings>('GET', '/settings', { signal: stopped }));
    known.value = settings;
    const ranked: RankSettings = FIRST_SETTINGS;
    const { recallK, rerankK } = effectiveDepths(ranked, settings);
    const pair = 'id' in asked ? { query, id: asked.id } : { query, image_base64: await readBase64(asked.picture) };
    const [{ pairs }, wide] = await Promise.all([
      client.call<{ pairs: PairScore[] }>('POST', '/score', { body: { pairs: [pair] }, signal: stopped }),
      // Deeper than the ranking that is asked about, to see the cover where that one would not have looked.
      client.call<Ranking>('POST', '/rank', {
        body: {
          query,
          top_n: settings.limits.top_n,
          recall_k: settings.limits.recall_k,
          rerank_k: rerankK,
          deadline_ms: DEADLINE_MS,
          include: ['cover', 'signals'],
        },
        signal: stopped,
      }),
    ]);
    const [scored] = pairs;
    if (scored?.signals === undefined) throw new ServiceError(problemOf(scored), { hadKey: true });
    const id = 'id' in asked ? asked.id : undefined;
    const { weights } = settings;
    const place = placeOf({ id, signals: scored.signals }, wide.results, { recallK, rerankK, weights });
    const score = weigh(scored.signals, weights);
    return { query, asked, signals: scored.signals, weights, score, place, recallK, rerankK, hits: wide.results };
  }

  return {
    explained,
    error,
    busy,
    async ask(query, asked) {
      running.abort();
      running = new AbortController();
      const { signal: stopped } = running;
      busy.value = true;
      error.value = undefined;
      try {
        explained.value = await explain(query, asked, stopped);
      } catch (caught) {
        if (stopped.aborted || isAbort(caught)) return;
        if (!(caught instanceof ServiceError)) throw caught;
        explained.value = undefined;
        error.value = caught;
      }
      busy.value = false;
    },
  };
}

function problemOf(scored: PairScore | undefined): Problem {
  return scored?.error ?? { code: 'other', detail: '' };
}
