import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJudging } from '../../../console/src/judge/judging.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

interface Refusal {
  readonly code: string;
  readonly retryAfterSeconds?: number;
}

/**
 * A service with four covers for every query that keeps what it is given, save the writes that `refusalOf` names. It
 * answers with what it had when it was asked, a moment later.
 */
function openService() {
  const kept = new Map<string, number>();
  const state = { refusalOf: (_write: string): Refusal | undefined => undefined, asked: [] as string[] };
  function refuse(write: string): void {
    state.asked.push(write);
    const refusal = state.refusalOf(write);
    if (refusal === undefined) return;
    const { code, retryAfterSeconds } = refusal;
    throw new ServiceError({ code, detail: '' }, { hadKey: true, retryAfterSeconds });
  }
  function answer(method: string, path: string, { body, query }: CallOptions): unknown {
    if (path === '/rank') return { results: ['a', 'b', 'c', 'd'].map((id) => ({ id })) };
    if (method === 'PUT') {
      for (const given of (body as { judgements: { query: string; id: string; grade: number }[] }).judgements) {
        refuse(`${given.query} ${given.id} ${given.grade}`);
        kept.set(`${given.query} ${given.id}`, given.grade);
      }
      return {};
    }
    if (method === 'DELETE') {
      const pair = `${query?.['query']} ${query?.['id']}`;
      refuse(`${pair} -`);
      if (!kept.delete(pair)) throw new ServiceError({ code: 'not_found', detail: '' }, { hadKey: true });
      return {};
    }
    const of = `${query?.['query']} `;
    state.asked.push(`${of}?`);
    const found = [...kept].filter(([pair]) => pair.startsWith(of));
    return { judgements: found.map(([pair, grade]) => ({ id: pair.slice(of.length), grade })) };
  }
  async function call(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    const answered = new Promise((resolve) => resolve(answer(method, path, options)));
    await Promise.allSettled([answered, new Promise((resolve) => setImmediate(resolve))]);
    options.signal?.throwIfAborted();
    return answered;
  }
  const client = { call, bytes: () => Promise.reject(new Error('not used')) } as ServiceClient;
  return { client, kept, state };
}

const forbidden = (): Refusal => ({ code: 'forbidden' });
const nothing = (): undefined => undefined;

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

test('a grade that the service refuses is told, not shown as kept, and arrives when it is sent again', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refusalOf = (write) => (write.startsWith('cat a') ? forbidden() : undefined);
  assert.deepEqual(await Promise.all([judging.grade(2), judging.grade(1)]), [false, true]);
  assert.deepEqual(
    judging.failed.value.map(({ write, error }) => [write.id, write.grade, error.problem.code]),
    [['a', 2, 'forbidden']],
    'although b has arrived since',
  );
  assert.deepEqual([[...judging.grades.value], judging.written.value], [[['b', 1]], 1]);
  await judging.resend();
  assert.equal(judging.failed.value.length, 1);
  state.refusalOf = nothing;
  await judging.resend();
  assert.deepEqual([judging.failed.value.length, kept.get('cat a'), judging.grades.value.get('a')], [0, 2, 2]);
  assert.equal(await judging.undo(), true, 'it was the last to arrive');
  assert.deepEqual(Object.fromEntries(kept), { 'cat b': 1 });
});

test('another grade for the same cover takes the place of one that failed', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refusalOf = forbidden;
  await judging.grade(2);
  judging.goToCover(0);
  await judging.grade(1);
  assert.deepEqual(
    judging.failed.value.map(({ write }) => write.grade),
    [1],
  );
  state.refusalOf = nothing;
  judging.goToCover(0);
  await judging.grade(0);
  assert.deepEqual([judging.failed.value.length, kept.get('cat a')], [0, 0]);
});

test('what failed stays after leaving, until it is given up', async () => {
  const { client, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refusalOf = forbidden;
  await judging.grade(2);
  judging.leave();
  await judging.start(['dog'], 4);
  assert.equal(judging.failed.value.length, 1);
  judging.forgetFailed();
  assert.equal(judging.failed.value.length, 0);
});

test('a busy service, or one that is just starting, gets the grade later', async () => {
  const { client, kept, state } = openService();
  const refusals: Refusal[] = ['rate_limited', 'unavailable', 'overloaded'].map((code) => ({
    code,
    retryAfterSeconds: 0.001,
  }));
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refusalOf = () => refusals.pop();
  assert.equal(await judging.grade(2), true);
  assert.deepEqual([kept.get('cat a'), refusals.length, judging.failed.value.length], [2, 0, 0]);
});

test('a cover whose grades all fail shows the one that the service has', async () => {
  const { client, kept, state } = openService();
  kept.set('cat a', 1);
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  state.refusalOf = forbidden;
  judging.goToCover(0);
  const first = judging.grade(2);
  judging.goToCover(0);
  const second = judging.grade(0);
  assert.equal(judging.grades.value.get('a'), 0, 'at once');
  await Promise.all([first, second]);
  assert.equal(judging.grades.value.get('a'), 1);
});

test('a grade that failed takes no other one from what can be taken back', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  await judging.grade(2);
  state.refusalOf = (write) => (write.startsWith('cat b') ? forbidden() : undefined);
  await Promise.all([judging.grade(1), judging.undo(), judging.grade(0)]);
  assert.deepEqual(Object.fromEntries(kept), { 'cat c': 0 }, 'a was the last that the service had');
  assert.equal(await judging.undo(), true);
  assert.equal(await judging.undo(), false);
  assert.equal(kept.size, 0);
});

test('a grade whose taking back fails can be taken back again, or by sending that again', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  await judging.grade(2);
  await judging.grade(1);
  for (const again of [() => judging.undo(), () => judging.resend()]) {
    state.refusalOf = forbidden;
    assert.equal(await judging.undo(), false);
    assert.deepEqual([judging.canUndo.value, judging.failed.value.length], [true, 1]);
    state.refusalOf = nothing;
    await again();
    assert.equal(judging.failed.value.length, 0);
  }
  assert.deepEqual([kept.size, judging.grades.value.size, judging.canUndo.value], [0, 0, false]);
});

test('what is gone already counts as taken back', async () => {
  const { client, kept } = openService();
  const judging = createJudging(client);
  await judging.start(['cat'], 4);
  await judging.grade(2);
  kept.clear();
  assert.equal(await judging.undo(), true);
  assert.deepEqual([judging.failed.value.length, judging.grades.value.size], [0, 0]);
});

test('taking back twice from the next query waits for its covers, and shows what the service has', async () => {
  const { client, kept, state } = openService();
  const judging = createJudging(client);
  await judging.start(['cat', 'dog'], 4);
  await Promise.all([judging.grade(2), judging.grade(1)]);
  const moving = judging.goToQuery(1);
  state.asked.length = 0;
  await Promise.all([moving, judging.undo(), judging.undo()]);
  assert.deepEqual(state.asked, ['dog ?', 'cat ?', 'cat b -', 'cat a -']);
  assert.deepEqual([kept.size, judging.grades.value.size, judging.hits.value.length], [0, 0, 4]);
  assert.deepEqual([judging.at.value, judging.cover.value, judging.busy.value], [0, 0, false]);
});

test('whoever goes on after taking back stays where they went', async () => {
  const { client, kept } = openService();
  const judging = createJudging(client);
  await judging.start(['cat', 'dog'], 4);
  await Promise.all([judging.grade(2), judging.undo(), judging.goToQuery(1)]);
  assert.deepEqual([kept.size, judging.at.value, judging.hits.value.length, judging.busy.value], [0, 1, 4, false]);
});

test('without a cover nothing is graded, and without a grade nothing taken back', async () => {
  const { client, state } = openService();
  const judging = createJudging(client);
  const starting = judging.start(['cat'], 4);
  assert.equal(await judging.grade(2), false);
  await starting;
  assert.equal(await judging.undo(), false);
  assert.deepEqual(state.asked, ['cat ?']);
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
