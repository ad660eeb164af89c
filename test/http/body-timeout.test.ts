import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import Fastify from 'fastify';
import { addBodyTimeout } from '../../src/http/body-timeout.ts';
import { addErrorHandler } from '../../src/http/error-handler.ts';

async function listen(t: TestContext, bodyMs: number): Promise<number> {
  const app = Fastify();
  t.after(() => app.close());
  addErrorHandler(app);
  addBodyTimeout(app, bodyMs);
  app.addContentTypeParser('application/x-ndjson', (_request, payload, done) => done(null, payload));
  app.post('/', { config: { streams: true } }, async (request) => {
    const body = request.body as object | AsyncIterable<Buffer>;
    let bytes = 0;
    if (Symbol.asyncIterator in body) for await (const chunk of body) bytes += chunk.length;
    return { bytes };
  });
  await app.listen({ port: 0 });
  return (app.server.address() as AddressInfo).port;
}

/** Sends the start of a body, and the rest after `pauseMs`; never when it is undefined. */
async function sendSlowly(port: number, type: string, pauseMs: number | undefined): Promise<IncomingMessage> {
  const request = httpRequest({ port, method: 'POST', headers: { 'content-type': type } });
  request.on('error', () => {});
  const response = new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
  request.write('{"a"');
  if (pauseMs !== undefined) setTimeout(() => request.end(':1}'), pauseMs);
  return response;
}

test('a body that does not arrive is answered 408', async (t) => {
  const response = await sendSlowly(await listen(t, 20), 'application/json', undefined);
  assert.equal(response.statusCode, 408);
  const chunks = await response.toArray();
  assert.equal(JSON.parse(Buffer.concat(chunks).toString()).code, 'request_timeout');
});

test('a stream may take longer, and so may a body within the limit', async (t) => {
  const port = await listen(t, 20);
  assert.equal((await sendSlowly(port, 'application/x-ndjson', 100)).statusCode, 200);
  assert.equal((await sendSlowly(await listen(t, 5000), 'application/json', 50)).statusCode, 200);
});
