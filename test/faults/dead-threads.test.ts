import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test from 'node:test';
import type { Worker } from 'node:worker_threads';
import { openService, sampleItems, type TestService, until } from '../http/service.ts';

const RANK = { query: '猫', top_n: 5, recall_k: 12, rerank_k: 12, deadline_ms: 20_000 };

test('whichever thread dies: everybody is answered, the thread comes back, and the metrics say so', async (t) => {
  const workers: Worker[] = [];
  const collect = (message: unknown): void => void workers.push((message as { worker: Worker }).worker);
  subscribe('worker_threads', collect);
  t.after(() => unsubscribe('worker_threads', collect));
  const service = await openService();
  t.after(() => service.close());
  const items = await sampleItems(12);
  await service.call({ method: 'POST', url: '/index', payload: { items } });

  // Without the judgements' thread, which starts with the first one.
  const threads = [...workers];
  assert.ok(threads.length >= 5, `${threads.length} threads`);
  for (const [number, thread] of threads.entries()) {
    const before = workers.length;
    const asked = askAll(service, items, number);
    await thread.terminate();
    await Promise.all([asked, askAll(service, items, number + 100)]);
    await until(() => workers.length > before);
    await until(async () => (await answersWhole(service)) && (await writes(service, items[0])));
  }
  assert.equal(await deaths(service), threads.length);
});

/** Every kind of request, each of which must end with an answer or a refusal that can be tried again. */
async function askAll(service: TestService, items: readonly object[], number: number): Promise<void> {
  const answers = await Promise.all([
    service.call({ method: 'POST', url: '/rank', payload: { ...RANK, query: `猫 ${number}` } }),
    service.call({ method: 'POST', url: '/index', payload: { items: items.slice(0, 3) } }),
    service.call({ method: 'POST', url: '/score', payload: { pairs: [{ query: '狗', id: 'cover/1' }] } }),
    service.call({ method: 'POST', url: '/embed', payload: { texts: [`狗 ${number}`] } }),
    service.call({ url: '/covers/cover%2F1' }),
  ]);
  for (const { status, body } of answers) {
    assert.ok(status === 200 || (status === 503 && body.retryable), `${status} ${JSON.stringify(body)}`);
  }
  for (const item of answers[1]?.body.items ?? []) {
    assert.ok(item.status < 300 || item.error.retryable, JSON.stringify(item));
  }
  // What was lost is told.
  const ranked = answers[0]?.body;
  if (answers[0]?.status === 200 && ranked.results[0].stage !== 'rerank') assert.notDeepEqual(ranked.degraded, []);
}

async function answersWhole(service: TestService): Promise<boolean> {
  const { status, body } = await service.call({ method: 'POST', url: '/rank', payload: RANK });
  return status === 200 && body.degraded.length === 0 && body.results[0].stage === 'rerank';
}

async function writes(service: TestService, item: object | undefined): Promise<boolean> {
  const payload = { items: [{ ...item, if_changed: false }] };
  const { body } = await service.call({ method: 'POST', url: '/index', payload });
  return body.errors === false;
}

async function deaths(service: TestService): Promise<number> {
  const { text } = await service.call({ url: '/metrics' });
  const counts = [...text.matchAll(/coverrank_events_total\{event="thread_died",part="([^"]+)"\} (\d+)/g)];
  return counts.reduce((sum, [, , count]) => sum + Number(count), 0);
}
