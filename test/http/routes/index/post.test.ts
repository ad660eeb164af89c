import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, type TestContext, test } from 'node:test';
import { defaultConfig } from '../../../../src/config.ts';
import { openService, sampleItems, type TestService } from '../../service.ts';

let service: TestService;
let items: Awaited<ReturnType<typeof sampleItems>>;
let port: number;
before(async () => {
  service = await openService({ fetch: { ...defaultConfig().fetch, allow: ['127.0.0.1'] } });
  items = await sampleItems(8);
  await service.app.listen({ port: 0 });
  port = (service.app.server.address() as AddressInfo).port;
});
after(() => service.close());

const post = (payload: object) => service.call({ method: 'POST', url: '/index', payload });
const postLines = (lines: readonly (object | string)[]) =>
  service.call({
    method: 'POST',
    url: '/index',
    headers: { 'content-type': 'application/x-ndjson' },
    payload: lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
  });
const statuses = (outcomes: { status: number; result?: string; error?: { code: string } }[]) =>
  outcomes.map(({ status, result, error }) => `${status} ${result ?? error?.code}`);

test('outcomes come in request order, and a bad item fails alone', async () => {
  const { status, body } = await post({
    items: [
      items[0],
      { id: '' },
      { id: 'broken', image_base64: Buffer.from('RIFF....WEBPVP8 broken').toString('base64') },
      items[1],
      { id: 'short', embedding: [1, 2, 3] },
      { id: 'nobody', delete: true },
      { ...items[0], title: 'again' },
      { id: 'a', image_base64: 'x', unknown: 1 },
      7,
    ],
  });
  assert.equal(status, 200);
  assert.equal(body.errors, true);
  assert.ok(body.took_ms > 0);
  assert.deepEqual(statuses(body.items), [
    '201 created',
    '400 invalid_request',
    '422 undecodable_image',
    '201 created',
    '422 invalid_embedding',
    '404 not_found',
    '200 updated',
    '400 invalid_request',
    '400 invalid_request',
  ]);
  assert.equal(body.items[2].id, 'broken');
  assert.equal(body.items[7].error.detail, '/unknown is not a field of an item.');
});

test('a name that would set a prototype fails its item alone, and its envelope as a whole', async () => {
  const embedding = JSON.stringify(new Array(service.manifest.embedding_dim).fill(1));
  const ask = (payload: string) =>
    service.call({ method: 'POST', url: '/index', headers: { 'content-type': 'application/json' }, payload });
  const { status, body } = await ask(
    `{"items":[{"id":"p1","embedding":${embedding},"attributes":{"__proto__":"x"}},` +
      `{"id":"p2","embedding":${embedding},"__proto__":{"title":"x"}},{"id":"p3","embedding":${embedding}}]}`,
  );
  assert.equal(status, 200);
  assert.deepEqual(statuses(body.items), ['400 invalid_request', '400 invalid_request', '201 created']);
  assert.equal((await ask('{"items":[],"__proto__":{"wait":false}}')).status, 400);
});

test('what is acknowledged can be found at once, and is not computed again', async () => {
  await post({ items: [items[2]] });
  const { body } = await service.call({
    method: 'POST',
    url: '/rank',
    payload: { query: 'x', candidates: [items[2]?.id], deadline_ms: 20_000 },
  });
  assert.equal(body.results[0].id, items[2]?.id);
  assert.deepEqual(statuses((await post({ items: [items[2]] })).body.items), ['200 unchanged']);
  assert.deepEqual(statuses((await post({ items: [{ id: items[2]?.id, delete: true }] })).body.items), ['200 deleted']);
});

test('deleting what is not there is no error of the request', async () => {
  const { body } = await post({ items: [{ id: 'nobody', delete: true }] });
  assert.equal(body.errors, false);
});

test('wait false answers with a task, and the task ends when all can be found', async () => {
  const { status, headers, body } = await post({ wait: false, items: [items[3], { id: 'bad' }] });
  assert.equal(status, 202);
  assert.equal(headers['location'], `/tasks/${body.task.id}`);
  assert.deepEqual(statuses(body.items), ['201 created', '400 invalid_request']);
  assert.equal(service.services.index.get(items[3]?.id ?? '')?.title, items[3]?.title);
  await service.services.indexer.settled();
  const task = await service.call({ url: `/tasks/${body.task.id}` });
  assert.equal(task.body.state, 'done');
  assert.equal(task.body.counts.created, 1);
  assert.equal(task.body.counts.failed, 1);
  assert.equal(task.body.failures[0].error.code, 'invalid_request');
  assert.equal((await service.call({ url: '/tasks/none' })).status, 404);
});

test('the request as a whole is refused only for its own form', async () => {
  for (const [payload, path] of [
    [{}, '/items'],
    [{ items: {} }, '/items'],
    [{ items: [], wait: 'yes' }, '/wait'],
    [{ items: [], more: 1 }, '/more'],
    [{ items: Array.from({ length: 1001 }, () => ({})) }, '/items'],
  ] as const) {
    const { status, body } = await post(payload);
    assert.equal(status, 400);
    assert.equal(body.errors[0].path, path);
  }
  assert.deepEqual((await post({ items: [] })).body.items, []);
  assert.equal((await service.call({ method: 'POST', url: '/index' })).status, 400);
  for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
    for (const payload of ['null', '{}', '7', '']) {
      const { status } = await service.call({
        method: 'POST',
        url: '/index',
        headers: { 'content-type': type },
        payload,
      });
      assert.equal(status, 400, `${type}: ${payload}`);
    }
  }
});

test('NDJSON is answered line by line, bad lines in their place', async () => {
  const { status, headers, text } = await postLines([
    items[4] ?? '',
    '{"id": "cut',
    '',
    { id: 'two', image_base64: 'AAAA', embedding: [1] },
    items[5] ?? '',
  ]);
  assert.equal(status, 200);
  assert.match(String(headers['content-type']), /^application\/x-ndjson/);
  const outcomes = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(statuses(outcomes), ['201 created', '400 invalid_request', '400 invalid_request', '201 created']);
});

test('a line beyond the bound is refused and the rest go on', async () => {
  const { text } = await postLines([
    { id: 'huge', title: 'x'.repeat(15 * 1024 * 1024) },
    { id: 'gone', delete: true },
  ]);
  const outcomes = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(statuses(outcomes), ['413 too_large', '404 not_found']);
});

test('the stream answers while it is still being sent', async () => {
  const sending = openStream();
  const outcomes = sending.outcomes[Symbol.asyncIterator]();
  for (const item of [items[6], items[7]]) {
    sending.request.write(`${JSON.stringify(item)}\n`);
    // The next line is written only after this one was answered.
    assert.equal(JSON.parse((await outcomes.next()).value ?? '{}').id, item?.id);
  }
  sending.request.end();
  assert.equal((await outcomes.next()).done, true);
});

test('a client that leaves in the middle keeps what was acknowledged and frees its place', async () => {
  const sending = openStream();
  const outcomes = sending.outcomes[Symbol.asyncIterator]();
  sending.request.write(`${JSON.stringify({ ...items[0], id: 'kept' })}\n`);
  assert.equal(JSON.parse((await outcomes.next()).value ?? '{}').status, 201);
  sending.request.write('{"id":"half');
  sending.request.destroy();
  await service.services.indexer.settled();
  assert.ok(service.services.index.get('kept'));
  // More requests than there are places go through one after the other.
  for (let round = 0; round < 6; round++) assert.equal((await post({ items: [] })).status, 200);
});

test('a connection on which an item takes long is kept alive, and none on which the client is silent', async (t) => {
  const idleMs = 300;
  const { timeout } = service.app.server;
  service.app.server.timeout = idleMs;
  t.after(() => {
    service.app.server.timeout = timeout;
  });
  const pictures = await serveLatePicture(t, Buffer.from(items[0]?.image_base64 ?? '', 'base64'));
  const sending = openStream();
  sending.request.write(`${JSON.stringify({ id: 'late', image_url: pictures.url })}\n`);
  sending.request.flushHeaders();
  const [response] = await once(sending.request, 'response');
  let text = '';
  for await (const chunk of response) {
    text += chunk;
    // Each stands for a third of the time after which the connection would have been closed.
    if (text === ' '.repeat(5)) pictures.release();
    if (text.endsWith('\n')) break;
  }
  assert.match(text, /^ {5}/);
  assert.equal(text.split('\n').length, 2);
  assert.equal(JSON.parse(text).status, 201);
  // It never says that there is no more to come.
  const silent = openStream();
  silent.request.write('{"id":"half');
  await new Promise((resolve) => silent.request.once('close', resolve));
});

/** A picture that is answered with once it is released. */
async function serveLatePicture(t: TestContext, bytes: Buffer) {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = createServer((_request, response) => {
    void released.then(() => response.writeHead(200, { 'content-type': 'image/webp' }).end(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/cover.webp`, release };
}

function openStream() {
  const request = httpRequest({
    port,
    path: '/index',
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  // Leaving in the middle is what one of the tests is about.
  request.on('error', () => {});
  async function* outcomes(): AsyncGenerator<string> {
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
      request.once('response', resolve),
    );
    response.on('error', () => {});
    yield* createInterface({ input: response });
  }
  return { request, outcomes: outcomes() };
}
