import { type ReadonlySignal, signal } from '@preact/signals';
import { isAbort, type ServiceClient } from '../service/client.ts';
import { type Grades, gradesOf } from '../service/judgements.ts';
import { ServiceError } from '../service/service-error.ts';
import type { Grade, Hit, Ranking } from '../service/types.ts';

/** A person on the way through the covers of a query set. Grades are the service's; nothing is kept here. */
export interface Judging {
  readonly queries: ReadonlySignal<readonly string[]>;
  /** Place of the current query. */
  readonly at: ReadonlySignal<number>;
  readonly hits: ReadonlySignal<readonly Hit[]>;
  /** Of the current query. */
  readonly grades: ReadonlySignal<Grades>;
  /** Place of the current cover. */
  readonly cover: ReadonlySignal<number>;
  readonly busy: ReadonlySignal<boolean>;
  readonly error: ReadonlySignal<ServiceError | undefined>;
  readonly canUndo: ReadonlySignal<boolean>;
  /** Grades that the service has on disk, or took back, since the page was opened. */
  readonly written: ReadonlySignal<number>;
  start(queries: readonly string[], depth: number): Promise<void>;
  goToQuery(place: number): Promise<void>;
  goToCover(place: number): void;
  /** Grades the current cover and goes to the next one without a grade. Resolves once the service has it on disk. */
  grade(grade: Grade): Promise<void>;
  /** Takes back the last grade that was given here, and goes to its cover. */
  undo(): Promise<void>;
  leave(): void;
}

interface Given {
  readonly query: string;
  readonly id: string;
  readonly before: Grade | undefined;
}

const DEADLINE_MS = 10_000;

export function createJudging(client: ServiceClient): Judging {
  const queries = signal<readonly string[]>([]);
  const at = signal(0);
  const hits = signal<readonly Hit[]>([]);
  const grades = signal<Grades>(new Map());
  const cover = signal(0);
  const busy = signal(false);
  const error = signal<ServiceError | undefined>(undefined);
  const canUndo = signal(false);
  const written = signal(0);
  const given: Given[] = [];
  let depth = 20;
  let loading = new AbortController();
  /** Writes go out one after the other, so that the last grade of a cover is the one that stays. */
  let lastWrite: Promise<unknown> = Promise.resolve();

  const query = (): string => queries.value[at.value] ?? '';

  function note(caught: unknown): void {
    if (isAbort(caught)) return;
    if (!(caught instanceof ServiceError)) throw caught;
    error.value = caught;
  }

  async function goToQuery(place: number): Promise<void> {
    if (place < 0 || place >= queries.value.length) return;
    loading.abort();
    loading = new AbortController();
    const { signal: left } = loading;
    at.value = place;
    hits.value = [];
    grades.value = new Map();
    busy.value = true;
    error.value = undefined;
    try {
      await lastWrite;
      const [ranking, judged] = await Promise.all([
        client.call<Ranking>('POST', '/rank', {
          body: { query: query(), top_n: depth, deadline_ms: DEADLINE_MS, include: ['cover'] },
          signal: left,
        }),
        gradesOf(client, query(), left),
      ]);
      hits.value = ranking.results;
      grades.value = judged;
      cover.value = firstWithout(ranking.results, judged, 0);
    } catch (caught) {
      note(caught);
    }
    if (!left.aborted) busy.value = false;
  }

  /** Shows the grade at once, and takes it away again where the service did not keep it. */
  async function write(of: string, id: string, grade: Grade | undefined): Promise<boolean> {
    const before = grades.value.get(id);
    show(of, id, grade);
    const writing = lastWrite.then(() =>
      grade === undefined
        ? client.call('DELETE', '/judgements', { query: { query: of, id } })
        : client.call('PUT', '/judgements', { body: { judgements: [{ query: of, id, grade }] } }),
    );
    lastWrite = writing.catch(() => {});
    try {
      await writing;
      written.value += 1;
      error.value = undefined;
      return true;
    } catch (caught) {
      show(of, id, before);
      note(caught);
      return false;
    }
  }

  function show(of: string, id: string, grade: Grade | undefined): void {
    if (of !== query()) return;
    const shown = new Map(grades.value);
    if (grade === undefined) shown.delete(id);
    else shown.set(id, grade);
    grades.value = shown;
  }

  return {
    queries,
    at,
    hits,
    grades,
    cover,
    busy,
    error,
    canUndo,
    written,
    async start(wanted, covers) {
      queries.value = wanted;
      depth = covers;
      given.length = 0;
      canUndo.value = false;
      await goToQuery(0);
    },
    goToQuery,
    goToCover(place) {
      cover.value = Math.max(0, Math.min(hits.value.length - 1, place));
    },
    async grade(grade) {
      const hit = hits.value[cover.value];
      if (hit === undefined) return;
      const entry: Given = { query: query(), id: hit.id, before: grades.value.get(hit.id) };
      const writing = write(entry.query, hit.id, grade);
      cover.value = firstWithout(hits.value, grades.value, cover.value + 1);
      given.push(entry);
      canUndo.value = true;
      if (await writing) return;
      given.splice(given.indexOf(entry), 1);
      canUndo.value = given.length > 0;
    },
    async undo() {
      const last = given.pop();
      canUndo.value = given.length > 0;
      if (last === undefined) return;
      const place = queries.value.indexOf(last.query);
      if (place !== at.value) await goToQuery(place);
      const taken = write(last.query, last.id, last.before);
      cover.value = Math.max(
        0,
        hits.value.findIndex(({ id }) => id === last.id),
      );
      await taken;
    },
    leave() {
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
