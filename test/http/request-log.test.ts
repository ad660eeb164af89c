import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { defaultConfig } from '../../src/config.ts';
import { generateKey, hashKey } from '../../src/core/api-key.ts';
import { createApp } from '../../src/http/app.ts';
import { createLifecycle } from '../../src/http/lifecycle.ts';

const key = generateKey();

/** The application before its services are there, and the lines it logs. */
async function openLogged(t: TestContext, level: string) {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const config = defaultConfig({ api_keys: [{ name: 'search-page', hash: hashKey(key), scopes: ['rank'] }] });
  const app = await createApp(createLifecycle(), config, pino({ level }, sink));
  t.after(() => app.close());
  return { app, lines };
}

const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
const request = {
  method: 'POST',
  url: '/rank',
  headers: {
    authorization: `Bearer ${key}`,
    'x-request-id': 'mine',
    traceparent: `00-${trace}-00f067aa0ba902b7-01`,
  },
  payload: { query: '不可告人的秘密', candidates: ['private-id'] },
} as const;

test('one line a request, by route, with its ids and the name of its key', async (t) => {
  const { app, lines } = await openLogged(t, 'info');
  await app.inject(request);
  await app.inject({ url: '/covers/private-id', headers: { authorization: `Bearer ${key}` } });
  assert.equal(lines.length, 2);
  const [rank, cover] = lines;
  assert.equal(typeof rank?.['duration_ms'], 'number');
  const { level, event, request_id, trace_id, method, route, status, key: name } = rank ?? {};
  assert.deepEqual(
    { level, event, request_id, trace_id, method, route, status, name },
    {
      level: 40,
      event: 'request',
      request_id: 'mine',
      trace_id: trace,
      method: 'POST',
      route: '/rank',
      status: 503,
      name: 'search-page',
    },
  );
  assert.equal(cover?.['route'], '/covers/:id');
  assert.equal('trace_id' in (cover ?? {}), false);
});

test('probes are quiet', async (t) => {
  const { app, lines } = await openLogged(t, 'info');
  await app.inject('/livez');
  assert.deepEqual(lines, []);
});

test('neither keys nor queries nor ids of covers reach the log, at any level', async (t) => {
  const { app, lines } = await openLogged(t, 'trace');
  await app.inject(request);
  await app.inject({ ...request, payload: { query: '不可告人的秘密', filter: { a: { b: 'private-id' } } } });
  await app.inject({
    ...request,
    payload: '{"query":"不可告人的秘密"',
    headers: { ...request.headers, 'content-type': 'application/json' },
  });
  const text = JSON.stringify(lines);
  assert.ok(lines.length >= 3);
  for (const secret of ['秘密', 'private-id', key]) assert.ok(!text.includes(secret), secret);
});
