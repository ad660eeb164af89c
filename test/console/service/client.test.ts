import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServiceClient } from '../../../console/src/service/client.ts';
import { allGrades } from '../../../console/src/service/judgements.ts';
import { createKeyHolder } from '../../../console/src/service/key.ts';
import { ServiceError } from '../../../console/src/service/service-error.ts';

const storage = { getItem: () => null, setItem() {}, removeItem() {} };

/** A client, and the address of a server that answers as `listener` does: what a page asks is relative to its own. */
async function openClient(t: TestContext, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { client: createServiceClient(createKeyHolder(storage)), url: `http://127.0.0.1:${port}` };
}

const code = (expected: string) => (error: unknown) =>
  error instanceof ServiceError && error.problem.code === expected && error.problem.retryable === true;

test("a proxy's page in place of an answer is told as such, whether all went well or not", async (t) => {
  const { client, url } = await openClient(t, (request, response) => {
    response.writeHead(request.url === '/refused' ? 502 : 200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Sign in</title>');
  });
  await assert.rejects(client.call('GET', `${url}/settings`), code('unreadable_answer'));
  await assert.rejects(
    client.call('GET', `${url}/refused`),
    (error) => error instanceof ServiceError && error.problem.detail === 'HTTP 502',
  );
  await assert.rejects(
    allGrades({ ...client, bytes: () => client.bytes(`${url}/judgements/export`) }),
    code('unreadable_answer'),
  );
});

test('an answer that breaks off is told as such', async (t) => {
  const { client, url } = await openClient(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"results":[', () => response.destroy());
  });
  await assert.rejects(client.call('GET', `${url}/rank`), code('unreadable_answer'));
  await assert.rejects(client.bytes(`${url}/covers/a/image`), code('unreadable_answer'));
});

test('a call that is no longer wanted ends as one, also while its answer comes in', async (t) => {
  const { client, url } = await openClient(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"results":[');
  });
  const left = new AbortController();
  const calling = client.call('GET', `${url}/rank`, { signal: left.signal });
  setTimeout(() => left.abort(), 20);
  await assert.rejects(calling, { name: 'AbortError' });
});
