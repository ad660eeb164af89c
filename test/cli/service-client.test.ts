import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { createServiceClient } from '../../src/cli/service-client.ts';
import { isFailure } from '../../src/core/errors.ts';

async function clientFor(t: TestContext, listener: RequestListener, path = '', options: { maxRetries?: number } = {}) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const client = createServiceClient({ url, apiKey: 'secret', retryAfterMs: 5, ...options });
  t.after(async () => {
    await client.close();
    server.close();
  });
  return client;
}

test('a call carries its key and body, below the path of the service', async (t) => {
  const client = await clientFor(
    t,
    async (request, response) => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, authorization: headers.authorization, body: await text(request) }));
    },
    '/prefix/',
  );
  assert.deepEqual(await client.call('POST', '/rank', { query: '猫' }), {
    method: 'POST',
    url: '/prefix/rank',
    authorization: 'Bearer secret',
    body: '{"query":"猫"}',
  });
});

test('a problem document becomes the failure it tells of', async (t) => {
  const problem = { code: 'unauthenticated', detail: 'Send a valid key.', errors: [{ path: '/x', message: 'is odd' }] };
  const client = await clientFor(t, (_request, response) => {
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  });
  await assert.rejects(client.call('GET', '/index'), (error) => {
    assert.ok(isFailure(error, 'unauthenticated'));
    assert.equal(error.detail, 'The service answered 401: Send a valid key. (/x is odd)');
    return true;
  });
});

test('an overloaded or absent service is asked again; retry-after is honoured', async (t) => {
  const statuses = [429, 503, 502, 200];
  let asked = 0;
  const arrivals: number[] = [];
  const client = await clientFor(t, async (request, response) => {
    arrivals.push(performance.now());
    const sent = await text(request);
    const status = statuses[asked++] ?? 500;
    if (status === 429) response.setHeader('retry-after', '1');
    response.writeHead(status).end(status === 200 ? JSON.stringify({ sent }) : '');
  });
  assert.deepEqual(await client.call('POST', '/rank', { query: 'x' }), { sent: '{"query":"x"}' });
  assert.equal(asked, 4);
  // Not a measurement: a pause that was asked for is a lower bound.
  assert.ok((arrivals[1] ?? 0) - (arrivals[0] ?? 0) >= 900);
});

test('items go out as NDJSON and their answers come back in order', async (t) => {
  const client = await clientFor(t, async (request, response) => {
    assert.equal(request.headers['content-type'], 'application/x-ndjson');
    for (const line of (await text(request)).trim().split('\n')) {
      response.write(`${JSON.stringify({ id: JSON.parse(line).id, status: 201, result: 'created' })}\n`);
    }
    response.end();
  });
  const answers = await client.index([{ id: 'a' }, { id: '猫' }]);
  assert.deepEqual(answers, [
    { id: 'a', status: 201, result: 'created' },
    { id: '猫', status: 201, result: 'created' },
  ]);
});

test('an answer with too few lines, a cut connection and a closed port are failures', async (t) => {
  const short = await clientFor(t, (_request, response) => response.end('{"id":"a","status":201}\n'));
  await assert.rejects(short.index([{ id: 'a' }, { id: 'b' }]), (error) => isFailure(error, 'unavailable'));
  const cut = await clientFor(t, (request, response) => {
    request.resume();
    response.write('{"id":"a","status":201}\n', () => response.destroy());
  });
  await assert.rejects(cut.index([{ id: 'a' }, { id: 'b' }]));
  assert.throws(
    () => createServiceClient({ url: 'localhost:80' }),
    (error) => isFailure(error, 'invalid_request'),
  );
});

test('who does not want to wait says how often to ask again', async (t) => {
  let calls = 0;
  const refuse: RequestListener = (_request, response) => {
    calls++;
    response.writeHead(503).end();
  };
  const client = await clientFor(t, refuse, '', { maxRetries: 1 });
  await assert.rejects(client.call('GET', '/index'), (error) => isFailure(error, 'unavailable'));
  assert.equal(calls, 2);
});
