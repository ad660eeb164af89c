import { failure } from '../../../core/errors.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { TaskParams, TaskSchema } from '../../schemas/indexing.ts';
import { presentTask } from '../index/present.ts';

const schema = {
  operationId: 'getTask',
  tags: ['indexing'],
  summary: 'How far a task is',
  description: 'Tasks are remembered for an hour after their last change, and not over a restart.',
  params: TaskParams,
  response: { 200: answer('The task.', TaskSchema), ...problems({ codes: ['not_found'] }) },
};

export const addGetTask: AddRoute = (app, { lifecycle, tasks }) => {
  app.get('/tasks/:id', { schema, config: { scope: 'index' } }, async (request) => {
    lifecycle.services();
    const task = tasks.get(request.params.id);
    if (task === undefined) throw failure('not_found', 'There is no task with this id, or it was long ago.');
    return presentTask(task);
  });
};
