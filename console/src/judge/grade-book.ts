import { type ReadonlySignal, signal } from '@preact/signals';
import type { ServiceClient } from '../service/client.ts';
import { BUSY_OR_AWAY, withPatience } from '../service/in-parallel.ts';
import { type Grades, gradesOf } from '../service/judgements.ts';
import { asServiceError, type ServiceError } from '../service/service-error.ts';
import type { Grade } from '../service/types.ts';

/** What the service is to keep of a cover for a query: a grade, or none. */
export interface GradeWrite {
  readonly query: string;
  readonly id: string;
  readonly grade: Grade | undefined;
  /** The earlier write that this one takes back. */
  readonly takesBack?: GradeWrite;
}

export interface FailedWrite {
  readonly write: GradeWrite;
  readonly error: ServiceError;
}

/**
 * The grades that the service is known to have, those on their way to it, and those that did not arrive. Reads and
 * sends must not overlap, which is the caller's to see to: an answer would be older than what was sent meanwhile.
 */
export interface GradeBook {
  /** Of a query, as they are once everything on its way has arrived. Signals in it tell of changes. */
  grades(query: string): Grades;
  /** What the service is known to have. */
  confirmed(query: string, id: string): Grade | undefined;
  /** The last write of each pair whose last write failed, oldest first. They stay until one of that pair arrives. */
  readonly failed: ReadonlySignal<readonly FailedWrite[]>;
  /** Writes that the service confirmed. */
  readonly written: ReadonlySignal<number>;
  /** Asks the service. */
  read(query: string, signal: AbortSignal): Promise<void>;
  /** Counts a write among those on their way before it is its turn to be sent. */
  plan(write: GradeWrite): void;
  /** Resolves with whether it arrived, and never rejects: what failed is kept in `failed`. */
  send(write: GradeWrite): Promise<boolean>;
  forgetFailed(): void;
}

export function createGradeBook(client: ServiceClient): GradeBook {
  const confirmed = signal<ReadonlyMap<string, Grades>>(new Map());
  const planned = signal<readonly GradeWrite[]>([]);
  const failed = signal<readonly FailedWrite[]>([]);
  const written = signal(0);

  const known = (query: string): Grades => confirmed.value.get(query) ?? new Map();
  const confirm = (query: string, grades: Grades): void => {
    confirmed.value = new Map(confirmed.value).set(query, grades);
  };
  const failedBut = (write: GradeWrite) => failed.value.filter((other) => !isSamePair(other.write, write));

  function plan(write: GradeWrite): void {
    if (!planned.value.includes(write)) planned.value = [...planned.value, write];
  }

  return {
    grades: (query) => planned.value.filter((write) => write.query === query).reduce(withWrite, known(query)),
    confirmed: (query, id) => known(query).get(id),
    failed,
    written,
    async read(query, signal) {
      confirm(query, await gradesOf(client, query, signal));
    },
    plan,
    async send(write) {
      plan(write);
      try {
        await withPatience(undefined, () => deliver(client, write), BUSY_OR_AWAY);
        confirm(write.query, withWrite(known(write.query), write));
        written.value += 1;
        failed.value = failedBut(write);
        return true;
      } catch (caught) {
        failed.value = [...failedBut(write), { write, error: asServiceError(caught) }];
        return false;
      } finally {
        planned.value = planned.value.filter((other) => other !== write);
      }
    },
    forgetFailed() {
      failed.value = [];
    },
  };
}

async function deliver(client: ServiceClient, { query, id, grade }: GradeWrite): Promise<void> {
  if (grade !== undefined) {
    await client.call('PUT', '/judgements', { body: { judgements: [{ query, id, grade }] } });
    return;
  }
  try {
    await client.call('DELETE', '/judgements', { query: { query, id } });
  } catch (caught) {
    // Gone already, as wanted: by an earlier try whose answer was lost, say.
    if (asServiceError(caught).problem.code !== 'not_found') throw caught;
  }
}

function withWrite(grades: Grades, { id, grade }: GradeWrite): Grades {
  const changed = new Map(grades);
  if (grade === undefined) changed.delete(id);
  else changed.set(id, grade);
  return changed;
}

function isSamePair(a: GradeWrite, b: GradeWrite): boolean {
  return a.query === b.query && a.id === b.id;
}
