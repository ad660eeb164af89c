import type { FastifyBaseLogger } from 'fastify';
import { ERROR_CODES } from '../../../core/errors.ts';
import type { ItemOutcome } from '../../../indexing/index-job.ts';
import type { Task } from '../../../indexing/tasks.ts';
import { itemProblem } from '../../error-handler.ts';
import type { Outcome, TaskBody } from '../../schemas/indexing.ts';

const STATUS = { created: 201, updated: 200, unchanged: 200, deleted: 200, not_found: 404 } as const;

/** To be called once an outcome: it logs what was the service's own fault. */
export function presentOutcome({ id, result, error }: ItemOutcome, log: FastifyBaseLogger): Outcome {
  if (error !== undefined) {
    const problem = itemProblem(error, log);
    return { id, status: ERROR_CODES[problem.code].status, error: problem };
  }
  if (result !== undefined) return { id, status: STATUS[result], result };
  throw new Error('an outcome has neither a result nor an error');
}

export function presentTask({ id, state, createdAt, finishedAt, counts, failures, error }: Task): TaskBody {
  return {
    id,
    state,
    created_at: createdAt,
    finished_at: finishedAt ?? null,
    counts: { ...counts },
    failures: failures.map((failed) => ({ id: failed.id, error: itemProblem(failed.error) })),
    error: error === undefined ? null : itemProblem(error),
  };
}

/** An item that asked to delete what is not there is answered 404, yet nothing went wrong. */
export function hasErrors(outcomes: readonly Outcome[]): boolean {
  return outcomes.some((outcome) => outcome.error !== undefined);
}
