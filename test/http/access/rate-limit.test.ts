import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { generateKey, hashKey } from '../../../src/core/api-key.ts';
import { addAuthentication } from '../../../src/http/access/auth.ts';
import { createKeyRing } from '../../../src/http/access/key-ring.ts';
import { addRateLimit } from '../../../src/http/access/rate-limit.ts';
import { addErrorHandler } from '../../../src/http/error-handler.ts';

const secrets = { patient: generateKey(), busy: generateKey(), free: generateKey() };
const keys = [
  { name: 'patient', hash: hashKey(secrets.patient), scopes: ['rank'] as const, requests_per_minute: 2 },
  { name: 'busy', hash: hashKey(secrets.busy), scopes: ['rank'] as const },
  { name: 'free', hash: hashKey(secrets.free), scopes: ['rank'] as const, requests_per_minute: 0 },
];

async function openApp(t: TestContext, needed: typeof keys, requestsPerMinute: number) {
  const app = Fastify();
  t.after(() => app.close());
  addErrorHandler(app);
  addAuthentication(app, createKeyRing(needed), '/docs');
  await addRateLimit(app, { keys: needed, requestsPerMinute });
  app.get('/work', { config: { scope: 'rank' } }, async () => 'done');
  app.get('/livez', { config: { public: true } }, async () => 'live');
  const statuses = async (count: number, request: object) => {
    const answered: number[] = [];
    while (answered.length < count) answered.push((await app.inject(request)).statusCode);
    return answered;
  };
  return { app, statuses };
}

const countOf = (statuses: readonly number[], status: number) => statuses.filter((each) => each === status).length;

test('each key has its own number of requests in a minute', async (t) => {
  const { app, statuses } = await openApp(t, keys, 5);
  const as = (secret: string) => ({ url: '/work', headers: { authorization: `Bearer ${secret}` } });
  assert.equal(countOf(await statuses(8, as(secrets.patient)), 200), 2);
  assert.equal(countOf(await statuses(8, as(secrets.busy)), 200), 5);
  assert.equal(countOf(await statuses(8, as(secrets.free)), 200), 8);
  const refused = await app.inject(as(secrets.patient));
  assert.equal(refused.statusCode, 429);
  assert.equal(refused.json().code, 'rate_limited');
  const seconds = Number(refused.headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 60);
});

test('without keys each address has, and an IPv6 network counts as one', async (t) => {
  const { statuses } = await openApp(t, [], 3);
  const from = (remoteAddress: string) => ({ url: '/work', remoteAddress });
  assert.equal(countOf(await statuses(5, from('192.0.2.1')), 200), 3);
  assert.equal(countOf(await statuses(5, from('192.0.2.2')), 200), 3);
  assert.equal(countOf(await statuses(2, from('2001:db8::1')), 200), 2);
  assert.equal(countOf(await statuses(2, from('2001:db8::2')), 200), 1);
});

test('what is public is not counted, and without a limit nothing is', async (t) => {
  const limited = await openApp(t, [], 1);
  assert.equal(countOf(await limited.statuses(5, { url: '/livez' }), 200), 5);
  const unlimited = await openApp(t, [], 0);
  assert.equal(countOf(await unlimited.statuses(5, { url: '/work' }), 200), 5);
});
