import { type Static, Type } from 'typebox';
import { type IndexItem, ItemSchema, type RejectedItem } from '../../indexing/item.ts';
import { LIMITS } from '../limits.ts';
import { ItemProblemSchema, RequestId, strict } from './common.ts';

export const IndexBody = strict(
  {
    items: Type.Array(ItemSchema, { maxItems: LIMITS.indexItems }),
    wait: Type.Boolean({
      default: true,
      description: 'True: answer when the items are on disk and can be found. False: 202 and a task once on disk.',
    }),
  },
  { examples: [{ items: [{ id: 'v1', image_url: 'https://img.example.com/v1.jpg', title: '红烧肉' }] }] },
);

/** What the body must be for the request as a whole to be valid; each item was checked by itself and fails by itself. */
export const IndexEnvelope = strict({
  items: Type.Array(Type.Unsafe<IndexItem | RejectedItem>({}), { maxItems: LIMITS.indexItems }),
  wait: Type.Boolean({ default: true }),
});
export type IndexEnvelope = Static<typeof IndexEnvelope>;

export const OutcomeSchema = strict(
  {
    id: Type.String({ description: 'Empty where the item has no id that can be read.' }),
    status: Type.Integer({ description: '201 created, 200 updated, unchanged or deleted, 404, or that of the error.' }),
    result: Type.Optional(Type.Enum(['created', 'updated', 'unchanged', 'deleted', 'not_found'])),
    error: Type.Optional(ItemProblemSchema),
  },
  { $id: 'IndexOutcome', description: 'What became of one item: its result, or its error.' },
);
export type Outcome = Static<typeof OutcomeSchema>;

const answerFields = {
  request_id: RequestId,
  took_ms: Type.Number({ minimum: 0 }),
  errors: Type.Boolean({ description: 'Whether any item failed.' }),
  items: Type.Array(Type.Unsafe<Outcome>({ $ref: 'IndexOutcome#' }), { description: 'In request order.' }),
};

export const IndexAnswer = strict(answerFields);
export type IndexAnswer = Static<typeof IndexAnswer>;

export const TaskSchema = strict(
  {
    id: Type.String(),
    state: Type.Enum(['queued', 'running', 'done']),
    created_at: Type.String(),
    finished_at: Type.Union([Type.String(), Type.Null()]),
    counts: strict({
      created: Type.Integer(),
      updated: Type.Integer(),
      unchanged: Type.Integer(),
      deleted: Type.Integer(),
      not_found: Type.Integer(),
      failed: Type.Integer(),
    }),
    failures: Type.Array(strict({ id: Type.String(), error: ItemProblemSchema }), {
      description: 'The first failed items; counts.failed tells how many there were.',
    }),
    error: Type.Union([ItemProblemSchema, Type.Null()], {
      description: 'What ended the task before all of its items could be found.',
    }),
  },
  { $id: 'Task' },
);
export type TaskBody = Static<typeof TaskSchema>;

export const IndexAccepted = strict({ ...answerFields, task: Type.Unsafe<TaskBody>({ $ref: 'Task#' }) });
export type IndexAccepted = Static<typeof IndexAccepted>;

export const TaskParams = strict({ id: Type.String({ minLength: 1, maxLength: 64 }) });
