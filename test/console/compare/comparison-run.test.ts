import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanAgreement } from '../../../console/src/compare/agreement-of.ts';
import { createComparisonRun } from '../../../console/src/compare/comparison-run.ts';
import { FIRST_SETTINGS } from '../../../console/src/ranking/rank-settings.ts';
import type { CallOptions, ServiceClient } from '../../../console/src/service/client.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

const A = FIRST_SETTINGS;
const B = { ...FIRST_SETTINGS, rerankK: 0 };

interface Load {
  running: number;
  most: number;
  calls: number;
}

/**
 * Ranks a b c, without reranking c b a; one query is judged, one fails, one is not reranked in time, and the first call of
 * all is refused once.
 */
function openClient(load: Load): ServiceClient {
  async function call(_method: string, _path: string, { body, signal }: CallOptions = {}): Promise<unknown> {
    const { query, rerank_k } = body as { query: string; rerank_k?: number };
    load.calls += 1;
    if (load.calls === 1) {
      throw new ServiceError({ code: 'overloaded', detail: '' }, { hadKey: false, retryAfterSeconds: 0.001 });
    }
    load.running += 1;
    load.most = Math.max(load.most, load.running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    load.running -= 1;
    signal?.throwIfAborted();
    if (query === 'bad') throw new ServiceError({ code: 'unavailable', detail: '' }, { hadKey: false });
    const results = ['a', 'b', 'c'].map((id) => ({ id }));
    if (rerank_k === 0) return { query, results: results.reverse(), degraded: [] };
    const late = { stage: 'rerank', reason: 'deadline_exceeded', reranked: 1, wanted: 3 };
    return { query, results, degraded: query === 'late' ? [late] : [] };
  }
  const judged = '{"query":"cat","id":"a","grade":2}\n{"query":"cat","id":"c","grade":0}\n';
  return { call, bytes: async () => new Blob([judged]) } as ServiceClient;
}

test('every query is ranked both ways, a few at once, and measured where it was judged', async () => {
  const load = { running: 0, most: 0, calls: 0 };
  const run = createComparisonRun(openClient(load));
  const queries = ['cat', 'bad', ...Array.from({ length: 10 }, (_, number) => `query ${number}`)];
  await run.start(queries, A, B);
  assert.deepEqual([run.done.value, run.total.value, run.failed.value, run.isRunning.value], [12, 12, 1, false]);
  assert.equal(run.error.value?.problem.code, 'unavailable');
  assert.ok(load.most <= 6, `${load.most} requests at once`);
  const compared = run.compared.value;
  assert.equal(compared.length, 11);
  assert.ok(compared.every(({ agreement }) => agreement.overlap === 1 && agreement.tau === -1));
  const cat = compared.find(({ query }) => query === 'cat');
  assert.equal(cat?.agreement.ndcgA, 1);
  assert.equal(cat?.agreement.ndcgB, 0.5);
  const mean = meanAgreement(compared.map(({ agreement }) => agreement));
  assert.deepEqual([mean.tau, mean.ndcgA, mean.ndcgB], [-1, 1, 0.5]);
});

test('a run that is stopped keeps what it has and asks for no more', async () => {
  const load = { running: 0, most: 0, calls: 1 };
  const run = createComparisonRun(openClient(load));
  const running = run.start(
    Array.from({ length: 200 }, (_, number) => `query ${number}`),
    A,
    B,
  );
  while (run.done.value < 6) await new Promise((resolve) => setTimeout(resolve, 1));
  run.stop();
  await running;
  const { calls } = load;
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(load.calls, calls);
  assert.equal(run.isRunning.value, false);
  assert.ok(run.compared.value.length >= 6 && run.compared.value.length < 200);
  assert.equal(run.failed.value, 0);
});

test('answers that lost something are counted in, and marked on the side that lost it', async () => {
  const run = createComparisonRun(openClient({ running: 0, most: 0, calls: 1 }));
  await run.start(['cat', 'late'], A, B);
  const lost = Object.fromEntries(run.compared.value.map(({ query, isDegraded }) => [query, isDegraded]));
  assert.deepEqual(lost, { cat: { a: false, b: false }, late: { a: true, b: false } });
});

test('a run that breaks off is no longer running, and says why', async () => {
  const client = { bytes: () => Promise.reject(new TypeError('Unexpected end')) } as unknown as ServiceClient;
  const run = createComparisonRun(client);
  await run.start(['cat'], A, B);
  assert.equal(run.isRunning.value, false);
  assert.equal(run.error.value?.problem.detail, 'Unexpected end');
});
