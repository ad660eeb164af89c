import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { effectiveDepths, FIRST_SETTINGS, type RankSettings } from '../ranking/rank-settings.ts';
import { readBase64 } from '../service/base64.ts';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { asServiceError, type Problem, ServiceError } from '../service/service-error.ts';
import type { Hit, PairScore, Ranking, Settings, Weights } from '../service/types.ts';
import { type Place, placeOf } from './place.ts';

/** What is asked about: a cover of the index, or a picture. */
export type Subject = { readonly id: string } | { readonly picture: File };

export interface Question {
  readonly query: string;
  readonly subject: Subject;
}

export interface Explained extends Question {
  readonly signals: Weights;
  readonly place: Place;
  /** The depths that the place holds for. */
  readonly recallK: number;
  readonly rerankK: number;
  /** The best covers of the query, as the ranking with these depths has them. */
  readonly hits: readonly Hit[];
  /** What the ranking lost that it was compared with. */
  readonly degraded: Ranking['degraded'];
}

export interface Explanation {
  /** The fields: what is asked next, which need not be what `explained` answers. A picture goes before an id. */
  readonly query: Signal<string>;
  readonly id: Signal<string>;
  readonly picture: Signal<File | undefined>;
  /** Of the fields; undefined while one is missing. */
  readonly question: ReadonlySignal<Question | undefined>;
  /** Whether the fields have changed since. */
  readonly isOutdated: ReadonlySignal<boolean>;
  readonly explained: ReadonlySignal<Explained | undefined>;
  /** What went wrong: with the call, or with the one pair. */
  readonly error: ReadonlySignal<ServiceError | undefined>;
  readonly busy: ReadonlySignal<boolean>;
  ask(): Promise<void>;
}

/** Time enough to recall deep. */
const DEADLINE_MS = 20_000;

export function createExplanation(client: ServiceClient, known: Signal<Settings | undefined>): Explanation {
  const query = signal('');
  const id = signal('');
  const picture = signal<File | undefined>(undefined);
  const question = computed(() => questionOf(query.value.trim(), id.value.trim(), picture.value));
  const explained = signal<Explained | undefined>(undefined);
  const error = signal<ServiceError | undefined>(undefined);
  const busy = signal(false);
  let running = new AbortController();

  async function explain({ query, subject }: Question, stopped: AbortSignal): Promise<Explained> {
    const settings = known.value ?? (await client.call<Settings>('GET', '/settings', { signal: stopped }));
    known.value = settings;
    const ranked: RankSettings = FIRST_SETTINGS;
    const { recallK, rerankK } = effectiveDepths(ranked, settings);
    const image = 'id' in subject ? subject : { image_base64: await readBase64(subject.picture) };
    const [{ pairs }, wide] = await Promise.all([
      client.call<{ pairs: PairScore[] }>('POST', '/score', {
        body: { pairs: [{ query, ...image }] },
        signal: stopped,
      }),
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
    const { signals } = scored;
    const { results, degraded } = wide;
    const { weights } = settings;
    const place = placeOf({ id: idOf(subject), signals }, results, { recallK, rerankK, weights });
    const hits = results.filter((hit) => hit.recall_rank <= recallK);
    return { query, subject, signals, place, recallK, rerankK, hits, degraded };
  }

  return {
    query,
    id,
    picture,
    question,
    isOutdated: computed(() => explained.value !== undefined && !isSame(question.value, explained.value)),
    explained,
    error,
    busy,
    async ask() {
      const asked = question.value;
      if (asked === undefined) return;
      running.abort();
      running = new AbortController();
      const { signal: stopped } = running;
      busy.value = true;
      error.value = undefined;
      try {
        const answer = await explain(asked, stopped);
        if (!stopped.aborted) explained.value = answer;
      } catch (caught) {
        if (stopped.aborted || isAbort(caught)) return;
        explained.value = undefined;
        error.value = asServiceError(caught);
      } finally {
        if (!stopped.aborted) busy.value = false;
      }
    },
  };
}

function questionOf(query: string, id: string, picture: File | undefined): Question | undefined {
  if (query === '' || (id === '' && picture === undefined)) return undefined;
  return { query, subject: picture === undefined ? { id } : { picture } };
}

export function idOf(subject: Subject): string | undefined {
  return 'id' in subject ? subject.id : undefined;
}

function isSame(a: Question | undefined, b: Question): boolean {
  return a?.query === b.query && isSameSubject(a.subject, b.subject);
}

function isSameSubject(a: Subject, b: Subject): boolean {
  return 'id' in a ? a.id === idOf(b) : 'picture' in b && a.picture === b.picture;
}

function problemOf(scored: PairScore | undefined): Problem {
  return scored?.error ?? { code: 'other', detail: '' };
}
