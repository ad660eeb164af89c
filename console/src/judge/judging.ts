import { computed, type ReadonlySignal, signal } from '@preact/signals';
import type { ServiceClient } from '../service/client.ts';
import { createTurns } from '../service/in-turn.ts';
import type { Grades } from '../service/judgements.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import type { Grade, Hit, Ranking } from '../service/types.ts';
import { createGradeBook, type FailedWrite, type GradeWrite } from './grade-book.ts';

/** A person on the way through the covers of a query set. Grades are the service's; nothing is kept here. */
export interface Judging {
  readonly queries: ReadonlySignal<readonly string[]>;
  /** Place of the current query. */
  readonly at: ReadonlySignal<number>;
  readonly hits: ReadonlySignal<readonly Hit[]>;
  /** Of the current query, as they are once everything on its way has arrived. */
  readonly grades: ReadonlySignal<Grades>;
  /** Place of the current cover. */
  readonly cover: ReadonlySignal<number>;
  readonly busy: ReadonlySignal<boolean>;
  /** Why the current query could not be loaded. */
  readonly error: ReadonlySignal<ServiceError | undefined>;
  /** Grades that did not arrive, and are not shown as given. */
  readonly failed: ReadonlySignal<readonly FailedWrite[]>;
  readonly canUndo: ReadonlySignal<boolean>;
  /** Grades that the service has on disk, or took back, since the page was opened. */
  readonly written: ReadonlySignal<number>;
  start(queries: readonly string[], depth: number): Promise<void>;
  goToQuery(place: number): Promise<void>;
  goToCover(place: number): void;
  /**
   * Grades the current cover and goes to the next one without a grade. Resolves once the service has it on disk: with
   * false where it did not arrive, or where there is no cover.
   */
  grade(grade: Grade): Promise<boolean>;
  /**
   * Takes back the last grade given here that the service has, and goes to its cover. Resolves with whether that
   * arrived; a grade whose taking back failed can be taken back again.
   */
  undo(): Promise<boolean>;
  /** Sends again what failed. */
  resend(): Promise<void>;
  /** Gives up what failed. */
  forgetFailed(): void;
  leave(): void;
}

/** A grade that the service has, and the one that it had before. */
interface Given {
  readonly write: GradeWrite;
  readonly before: Grade | undefined;
}

const DEADLINE_MS = 10_000;

export function createJudging(client: ServiceClient): Judging {
  const queries = signal<readonly string[]>([]);
  const at = signal(0);
  const hits = signal<readonly Hit[]>([]);
  const cover = signal(0);
  const busy = signal(false);
  const error = signal<ServiceError | undefined>(undefined);
  const given = signal<readonly Given[]>([]);
  const book = createGradeBook(client);
  const query = computed(() => queries.value[at.value] ?? '');
  const grades = computed(() => book.grades(query.value));
  /** All loads and writes go through here: each sees what those before it did, and the last grade is the one that stays. */
  const inTurn = createTurns();
  let depth = 20;
  let loading = new AbortController();
  /** How often the person went elsewhere, so that what waited for its turn does not lead back. */
  let departures = 0;

  /** Shows another query at once, still without its covers; what this returns loads them. */
  function open(place: number): () => Promise<void> {
    loading.abort();
    loading = new AbortController();
    const { signal: left } = loading;
    at.value = place;
    hits.value = [];
    busy.value = true;
    error.value = undefined;
    const opened = query.value;
    return () => load(opened, left);
  }

  async function load(opened: string, left: AbortSignal): Promise<void> {
    if (left.aborted) return;
    try {
      await book.read(opened, left);
      const ranking = await client.call<Ranking>('POST', '/rank', {
        body: { query: opened, top_n: depth, deadline_ms: DEADLINE_MS, include: ['cover'] },
        signal: left,
      });
      if (left.aborted) return;
      hits.value = ranking.results;
      cover.value = firstWithout(ranking.results, grades.value, 0);
    } catch (caught) {
      if (!left.aborted) error.value = asServiceError(caught);
    } finally {
      if (!left.aborted) busy.value = false;
    }
  }

  async function goToQuery(place: number): Promise<void> {
    if (place < 0 || place >= queries.value.length) return;
    departures += 1;
    await inTurn(open(place));
  }

  function goToCover(place: number): void {
    cover.value = Math.max(0, Math.min(hits.value.length - 1, place));
  }

  async function returnTo({ query: wanted, id }: GradeWrite): Promise<void> {
    const place = queries.value.indexOf(wanted);
    if (place !== at.value) await open(place)();
    goToCover(hits.value.findIndex((hit) => hit.id === id));
  }

  /** Sends what has its turn, and notes what can be taken back after it. */
  async function send(write: GradeWrite): Promise<boolean> {
    const before = book.confirmed(write.query, write.id);
    if (!(await book.send(write))) return false;
    const { takesBack } = write;
    if (takesBack !== undefined) given.value = given.value.filter((earlier) => earlier.write !== takesBack);
    else if (queries.value.includes(write.query)) given.value = [...given.value, { write, before }];
    return true;
  }

  return {
    queries,
    at,
    hits,
    grades,
    cover,
    busy,
    error,
    failed: book.failed,
    canUndo: computed(() => given.value.length > 0),
    written: book.written,
    async start(wanted, covers) {
      queries.value = wanted;
      depth = covers;
      given.value = [];
      await goToQuery(0);
    },
    goToQuery,
    goToCover,
    async grade(grade) {
      const hit = hits.value[cover.value];
      if (hit === undefined) return false;
      const write: GradeWrite = { query: query.value, id: hit.id, grade };
      book.plan(write);
      cover.value = firstWithout(hits.value, grades.value, cover.value + 1);
      return inTurn(() => send(write));
    },
    undo() {
      const askedAt = departures;
      return inTurn(async () => {
        const last = given.value.at(-1);
        if (last === undefined) return false;
        if (departures === askedAt) await returnTo(last.write);
        return send({ ...last.write, grade: last.before, takesBack: last.write });
      });
    },
    resend() {
      return inTurn(async () => {
        for (const { write } of book.failed.value) await send(write);
      });
    },
    forgetFailed: book.forgetFailed,
    leave() {
      departures += 1;
      loading.abort();
      queries.value = [];
      hits.value = [];
      error.value = undefined;
      busy.value = false;
    },
  };
}

/** Place of the next cover without a grade, looking from `from` on and then from the start; the last one if all have. */
function firstWithout(hits: readonly Hit[], grades: Grades, from: number): number {
  const places = hits.map((_, place) => (place + from) % hits.length);
  const free = places.find((place) => !grades.has(hits[place]?.id ?? ''));
  return free ?? Math.max(0, Math.min(from, hits.length - 1));
}
