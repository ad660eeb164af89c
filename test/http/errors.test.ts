import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { failure } from '../../src/core/errors.ts';
import { toFailure } from '../../src/http/error-handler.ts';
import { LIMITS } from '../../src/http/limits.ts';
import { openService, type TestService } from './service.ts';

let service: TestService;
let port: number;
before(async () => {
  service = await openService();
  await service.app.listen({ port: 0 });
  port = (service.app.server.address() as AddressInfo).port;
});
after(() => service.close());

const json = { 'content-type': 'application/json' };

test('a problem document has every member, and the id of the request', async () => {
  const { status, headers, body } = await service.call({ url: '/covers/none', headers: { 'x-request-id': 'mine-1' } });
  assert.equal(status, 404);
  assert.match(String(headers['content-type']), /^application\/problem\+json/);
  assert.equal(headers['x-request-id'], 'mine-1');
  assert.deepEqual(body, {
    type: 'urn:coverrank:error:not_found',
    title: 'Not found',
    status: 404,
    detail: 'There is no cover with this id.',
    code: 'not_found',
    request_id: 'mine-1',
    retryable: false,
  });
});

test('what the framework refuses is told as our problems', async () => {
  const big = `{"query":"${'x'.repeat(LIMITS.rankBodyBytes)}"}`;
  for (const [request, status, code] of [
    [{ method: 'GET', url: '/nothing' }, 404, 'not_found'],
    [{ method: 'GET', url: '/docs/static/nothing.js' }, 404, 'not_found'],
    [{ method: 'GET', url: '/docs/static/%2e%2e/%2e%2e/package.json' }, 404, 'not_found'],
    [{ method: 'GET', url: '/rank' }, 405, 'method_not_allowed'],
    [{ method: 'POST', url: '/rank', headers: json, payload: '{"query":' }, 400, 'invalid_request'],
    [{ method: 'POST', url: '/rank', headers: json, payload: '' }, 400, 'invalid_request'],
    [{ method: 'POST', url: '/rank' }, 400, 'invalid_request'],
    [{ method: 'POST', url: '/rank', headers: json, payload: '[]' }, 400, 'invalid_request'],
    [{ method: 'POST', url: '/rank', headers: json, payload: 'null' }, 400, 'invalid_request'],
    [
      { method: 'POST', url: '/rank', headers: { 'content-type': 'text/plain' }, payload: '{}' },
      415,
      'unsupported_media_type',
    ],
    [
      { method: 'POST', url: '/rank', headers: { 'content-type': 'application/x-ndjson' }, payload: '{}' },
      415,
      'unsupported_media_type',
    ],
    [
      { method: 'POST', url: '/index', headers: { 'content-type': 'text/csv' }, payload: 'a' },
      415,
      'unsupported_media_type',
    ],
    [{ method: 'POST', url: '/rank', headers: json, payload: big }, 413, 'too_large'],
    [{ method: 'GET', url: '/covers/%E0%A4%A' }, 400, 'invalid_request'],
    [{ method: 'GET', url: `/covers/${'a'.repeat(257)}` }, 400, 'invalid_request'],
    [{ method: 'GET', url: `/covers/${'a'.repeat(5000)}` }, 400, 'invalid_request'],
  ] as const) {
    const answer = await service.call(request);
    assert.equal(answer.status, status, `${request.method} ${request.url.slice(0, 40)}`);
    assert.equal(answer.body.code, code);
    assert.equal(answer.body.status, status);
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/);
  }
});

test('a body in another coding than plain UTF-8 is refused, not guessed at', async () => {
  const gbk = Buffer.from([...Buffer.from('{"query":"'), 0xc3, 0xa8, 0xd6, ...Buffer.from('"}')]);
  const lines = { 'content-type': 'application/x-ndjson' };
  const gzip = { 'content-encoding': 'gzip' };
  for (const [url, headers, payload, status] of [
    ['/rank', json, gbk, 400],
    ['/rank', { 'content-type': 'application/json; charset=gbk' }, '{"query":"a"}', 415],
    ['/rank', { ...json, ...gzip }, gzipSync('{"query":"a"}'), 415],
    ['/index', { ...lines, ...gzip }, gzipSync('{"id":"a","delete":true}'), 415],
    ['/index', { 'content-type': 'application/x-ndjson; charset="GB18030"' }, '{"id":"a","delete":true}', 415],
    ['/rank', { 'content-type': 'application/json; charset=UTF-8' }, '{"query":"a"}', 200],
    ['/rank', { ...json, 'content-encoding': 'identity' }, '\ufeff{"query":"a"}', 200],
  ] as const) {
    const answer = await service.call({ method: 'POST', url, headers, payload });
    assert.equal(answer.status, status, `${url} ${JSON.stringify(headers)}`);
  }
});

test('a name that would set a prototype is refused in a ranking request', async () => {
  for (const payload of ['{"query":"a","__proto__":{"top_n":1}}', '{"query":"a","filter":{"__proto__":1}}']) {
    const { status } = await service.call({ method: 'POST', url: '/rank', headers: json, payload });
    assert.equal(status, 400);
  }
});

test('a wrong method is told the right ones, before any body is looked at', async () => {
  const allow = async (method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'TRACE', url: string) => {
    const { status, headers } = await service.call({ method, url, headers: { 'content-type': 'text/xml' } } as never);
    assert.equal(status, 405, `${method} ${url}`);
    return headers['allow'];
  };
  assert.equal(await allow('PUT', '/rank'), 'POST');
  assert.equal(await allow('TRACE', '/rank?x=1'), 'POST');
  assert.equal(await allow('DELETE', '/index'), 'GET, HEAD, POST');
  assert.equal(await allow('PATCH', '/covers/a%2Fb'), 'DELETE, GET, HEAD');
  assert.equal(await allow('DELETE', '/covers/a/image'), 'GET, HEAD');
  assert.equal((await service.call({ method: 'PUT', url: '/covers/a/b' })).status, 404);
});

test('an error that nobody foresaw tells the client nothing', () => {
  const hidden = toFailure(new TypeError('cannot read /secret/path of 10.0.0.7'));
  assert.equal(hidden.code, 'internal');
  assert.doesNotMatch(hidden.detail, /secret|10\.0/);
  assert.ok(hidden.cause instanceof TypeError);
  // Codes that are for commands name files; no client gets to see them.
  assert.equal(toFailure(failure('corrupt_data', '/data/covers.mdb is damaged')).code, 'internal');
  assert.equal(toFailure(failure('storage_full', 'The disk is full.')).status, 507);
});

test('what is not even HTTP is answered with a problem on the socket', async () => {
  const answerTo = (text: string) =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(text));
      socket.on('data', (chunk) => (answer += chunk));
      socket.on('close', () => resolve(answer)).on('error', reject);
    });
  const garbage = await answerTo('hello\r\n\r\n');
  assert.match(garbage, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(garbage, /content-type: application\/problem\+json\r\n/);
  assert.equal(JSON.parse(garbage.split('\r\n\r\n')[1] ?? '').code, 'invalid_request');
  const overflow = await answerTo(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
  assert.match(overflow, /^HTTP\/1\.1 431 /);
  assert.equal(JSON.parse(overflow.split('\r\n\r\n')[1] ?? '').code, 'headers_too_large');
});

test('a refused connection is let go although the client does not end its side', async (t) => {
  const socket = connect({ port, allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('no request at all\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 400 /);
  const connections = promisify(service.app.server.getConnections).bind(service.app.server);
  const before = await connections();
  while ((await connections()) >= before) await setTimeout(50);
});
