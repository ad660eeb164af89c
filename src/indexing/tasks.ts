import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CoverrankError } from '../core/errors.ts';
import type { ItemOutcome } from './index-job.ts';

/** A job whose caller did not wait for it. */
export interface Task {
  readonly id: string;
  /** `queued` until its first item is through, `done` when all can be found (or could not be made so). */
  readonly state: 'queued' | 'running' | 'done';
  readonly createdAt: string;
  readonly finishedAt: string | undefined;
  /** Items through so far, by result; those with an error count as `failed`. */
  readonly counts: Readonly<Record<TaskCount, number>>;
  /** The first failed items, up to a bound; `counts.failed` tells how many there were. */
  readonly failures: readonly TaskFailure[];
  /** What ended the task before all of its items were searchable. */
  readonly error: CoverrankError | undefined;
}

export type TaskCount = NonNullable<ItemOutcome['result']> | 'failed';

export interface TaskFailure {
  readonly id: string;
  readonly error: CoverrankError;
}

/** The side of a task that its job holds. */
export interface RunningTask {
  readonly id: string;
  record(outcome: ItemOutcome): void;
  finish(error?: CoverrankError): void;
}

export interface TaskRegistry {
  start(): RunningTask;
  /** Undefined for a task that never was, or that was finished too long or too many tasks ago. */
  get(id: string): Task | undefined;
}

export interface TaskRegistryOptions {
  readonly maxTasks?: number;
  /** How long a task is remembered after its last change. */
  readonly keepMs?: number;
}

const MAX_FAILURES = 100;

/**
 * Tasks live in memory only: what they report is on disk before the task is handed out, so a restart loses no covers,
 * only the answer to how far the graph had come.
 */
export function createTaskRegistry({ maxTasks = 1000, keepMs = 3_600_000 }: TaskRegistryOptions = {}): TaskRegistry {
  const tasks = new LRUCache<string, Task>({ max: maxTasks, ttl: keepMs });

  function change(id: string, next: (task: Task) => Task): void {
    const task = tasks.peek(id);
    if (task !== undefined) tasks.set(id, next(task));
  }

  return {
    start() {
      const id = randomUUID();
      tasks.set(id, newTask(id));
      return {
        id,
        record: (outcome) => change(id, (task) => withOutcome(task, outcome)),
        finish: (error) =>
          change(id, (task) => ({ ...task, state: 'done', finishedAt: new Date().toISOString(), error })),
      };
    },
    get: (id) => tasks.peek(id),
  };
}

function newTask(id: string): Task {
  return {
    id,
    state: 'queued',
    createdAt: new Date().toISOString(),
    finishedAt: undefined,
    counts: { created: 0, updated: 0, unchanged: 0, deleted: 0, not_found: 0, failed: 0 },
    failures: [],
    error: undefined,
  };
}

function withOutcome(task: Task, { id, result, error }: ItemOutcome): Task {
  const count: TaskCount = error === undefined && result !== undefined ? result : 'failed';
  const failures =
    error !== undefined && task.failures.length < MAX_FAILURES ? [...task.failures, { id, error }] : task.failures;
  return { ...task, state: 'running', counts: { ...task.counts, [count]: task.counts[count] + 1 }, failures };
}
