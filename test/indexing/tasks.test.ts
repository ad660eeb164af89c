import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../../src/core/errors.ts';
import { createTaskRegistry } from '../../src/indexing/tasks.ts';

test('a task counts its outcomes from queued to done', () => {
  const tasks = createTaskRegistry();
  const running = tasks.start();
  assert.equal(tasks.get(running.id)?.state, 'queued');
  running.record({ id: 'a', result: 'created' });
  running.record({ id: 'b', result: 'unchanged' });
  running.record({ id: 'c', error: failure('fetch_failed', 'No.') });
  const task = tasks.get(running.id);
  assert.equal(task?.state, 'running');
  assert.deepEqual(task?.counts, { created: 1, updated: 0, unchanged: 1, deleted: 0, not_found: 0, failed: 1 });
  assert.deepEqual(
    task?.failures.map(({ id, error }) => [id, error.code]),
    [['c', 'fetch_failed']],
  );
  assert.equal(task?.finishedAt, undefined);
  running.finish();
  assert.equal(tasks.get(running.id)?.state, 'done');
  assert.match(tasks.get(running.id)?.finishedAt ?? '', /^\d{4}-.*Z$/);
});

test('a task that ended early says why', () => {
  const tasks = createTaskRegistry();
  const running = tasks.start();
  running.finish(failure('unavailable', 'The graph is gone.'));
  assert.equal(tasks.get(running.id)?.error?.code, 'unavailable');
});

test('failures, tasks and their age are bounded', async () => {
  const tasks = createTaskRegistry({ maxTasks: 2, keepMs: 40 });
  const first = tasks.start();
  for (let item = 0; item < 500; item++) first.record({ id: `${item}`, error: failure('internal', 'x') });
  assert.equal(tasks.get(first.id)?.counts.failed, 500);
  assert.equal(tasks.get(first.id)?.failures.length, 100);

  const second = tasks.start();
  const third = tasks.start();
  assert.equal(tasks.get(first.id), undefined);
  assert.ok(tasks.get(second.id));
  first.record({ id: 'late', result: 'created' });
  assert.equal(tasks.get(first.id), undefined);
  await sleep(60);
  assert.equal(tasks.get(third.id), undefined);
  assert.equal(tasks.get('never'), undefined);
});
