import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJudging } from '../../../console/src/judge/judging.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

/** A service with four covers for every query that keeps what it is given, until it is told to refuse. */
function openService() {
  const kept = new Map<string, number>();
  const state = { refuses: false };
  async function call(method: string, path: string, { body, query }: CallOptions = {}): Promise<unknown> {
    if (state.refuses && path === '/judgements' && method !== 'GET') {
      throw new ServiceError({ code: 'forbidden', detail: '' }, { hadKey: true });
    }
    if (path === '/rank') return { results: ['a', 'b', 'c', 'd'].map((id) => ({ id })) };
    if (method === 'PUT') {
      for (const given of (body as { judgements: { query: string; id: string; grade: number }[] }).judgements) {
        kept.set(`${given.query} ${given.id}`, given.grade);
      }
    } else if (method === 'DELETE') kept.delete(`${query?.['query']} ${query?.['id']}`);
    else {
      const of = `${query?.['query']} `;
      const found = [...kept].filter(([pair]) => pair.startsWith(of));
      return { judgements: found.map(([pair, grade]) => ({ id: pair.slice(of.length), grade })) };
    }
    return {};
  }
  const client = { call, bytes: () => Promise.reject(new Error('not used')) } as ServiceClient;
  return { client, kept, state };
}

test('a grade is kept by the service and leads to the next cover without one', async () => {
  const { client, kept } = openService();
  kept.set('cat b', 1);
  const judging = createJudging(client);
  await judging.start(['cat', 'dog'], 4);
  assert.equal(judging.cover.value, 0);
  await judging.grade(2);
  assert.equal(judging.cover.value, 2, 'b was judged before');
  await judging.grade(0);
  await judging.grade(1);
  assert.deepEqual(Object.fromEntries(kept), { 'cat a': 2, 'cat b': 1, 'cat c': 0, 'cat d': 1 });
  assert.equal(judging.grades.value.size, 4);
});

test('undo takes back grade by grade, over queries too, and puts back what was there', async () => {
  const { client, kept } = openService();
  kept.set('cat a', 1);
  const judging = createJudging(client);
  await judging.start(['cat', 'dog'], 4);
  judging.goToCover(0);
  await judging.grade(2);
  await judging.goToQuery(1);
  await judging.grade(0);
  await judging.undo();
  assert.deepEqual([kept.get('dog a'), judging.cover.value], [undefined, 0]);
  await judging.undo();
  assert.deepEqual([kept.get('cat a'), judging.at.value, judging.cover.value], [1, 0, 0]);
  assert.equal(judging.canUndo.value, false);
  await judging.undo();
  assert.equal(kept.size, 1);
});

test('a grade that the service refuses is not shown as kept', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refuses = true;
  await judging.grade(2);
  assert.equal(judging.error.value?.problem.code, 'forbidden');
  assert.deepEqual([judging.grades.value.size, kept.size, judging.canUndo.value], [0, 0, false]);
  state.refuses = false;
  judging.goToCover(0);
  await judging.grade(2);
  assert.deepEqual([judging.error.value, kept.get('cat a')], [undefined, 2]);
});

test('grades that follow one another fast all arrive, in order', async () => {
  const { client, kept } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  await Promise.all([judging.grade(0), judging.grade(1), judging.grade(2), judging.grade(0)]);
  assert.deepEqual([...kept.values()], [0, 1, 2, 0]);
  judging.goToCover(0);
  await Promise.all([judging.grade(1), judging.undo()]);
  assert.equal(kept.get('cat a'), 0);
});
