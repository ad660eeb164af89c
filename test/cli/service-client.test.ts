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

test('a batch whose answer breaks off is sent again, as a whole', async (t) => {
  const bodies: string[] = [];
  const ranges: unknown[] = [];
  const client = await clientFor(t, async (request, response) => {
    ranges.push(request.headers.range);
    const sent = await text(request);
    const outcomes = sent.replaceAll('}', ',"status":200}');
    // Broken in a line, between two, and ended in an orderly way in a line and in a sign of life.
    const cutAt = [10, outcomes.indexOf('\n') + 1, 10, outcomes.indexOf('\n') + 1][bodies.push(sent) - 1];
    const isOrderly = bodies.length > 2;
    if (cutAt === undefined) response.end(outcomes);
    else if (isOrderly) response.end(`${outcomes.slice(0, cutAt)} `);
    else response.write(outcomes.slice(0, cutAt), () => response.destroy());
  });
  const items = [{ id: 'a' }, { id: 'b' }];
  assert.deepEqual(
    await client.index(items),
    items.map(({ id }) => ({ id, status: 200 })),
  );
  assert.deepEqual(bodies, new Array(5).fill('{"id":"a"}\n{"id":"b"}\n'));
  assert.deepEqual(ranges, new Array(5).fill(undefined));
});

test('an answer that breaks off every time is told as such', async (t) => {
  let calls = 0;
  const breakOff: RequestListener = (request, response) => {
    calls++;
    request.resume();
    response.write('{"id":"a","status":201}\n', () => response.destroy());
  };
  const client = await clientFor(t, breakOff, '', { maxRetries: 2 });
  for (const call of [() => client.index([{ id: 'a' }, { id: 'b' }]), () => client.call('GET', '/index')]) {
    calls = 0;
    await assert.rejects(call(), (error) => {
      assert.ok(isFailure(error, 'unavailable'));
      assert.match(error.detail, /^http:\/\/127\.0\.0\.1:\d+ did not finish its answer \(\w+\)\.$/);
      return true;
    });
    assert.equal(calls, 3);
  }
});

test('what answers with something else than outcomes is not asked again', async (t) => {
  let calls = 0;
  const client = await clientFor(t, (request, response) => {
    calls++;
    request.resume();
    response.end('<html>\n');
  });
  await assert.rejects(client.index([{ id: 'a' }]), /does not look like coverrank/);
  assert.equal(calls, 1);
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
