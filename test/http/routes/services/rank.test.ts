import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { generateKey, hashKey } from '../../../../src/core/api-key.ts';
import { openService, sampleItems, type TestService } from '../../service.ts';

/** A service that asks for a key, and one in front that knows it, a wrong one, and some that are no service. */
const key = generateKey();
let peer: TestService;
let front: TestService;
let answerOddly: (body: string) => { readonly status: number; readonly body: string };
const odd = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const answer = answerOddly(body);
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
});

before(async () => {
  peer = await openService({ api_keys: [{ name: 'front', hash: hashKey(key), scopes: ['rank', 'index'] }] });
  const url = await peer.app.listen({ host: '127.0.0.1', port: 0 });
  await peer.call({
    method: 'POST',
    url: '/index',
    headers: { authorization: `Bearer ${key}` },
    payload: { items: await sampleItems(3) },
  });
  await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve));
  const oddUrl = `http://127.0.0.1:${(odd.address() as AddressInfo).port}`;
  front = await openService({
    peers: [
      { name: 'other', url, key },
      { name: 'locked', url, key: 'wrong' },
      { name: 'odd', url: oddUrl },
      { name: 'gone', url: 'http://127.0.0.1:1' },
    ],
  });
});
after(async () => {
  odd.close();
  await front.close();
  await peer.close();
});

const rank = (name: string, payload: object = {}) =>
  front.call({
    method: 'POST',
    url: `/services/${name}/rank`,
    payload: { query: '猫', deadline_ms: 20_000, ...payload },
  });

test('the ranking is that of the other service', async () => {
  const { status, body } = await rank('other', { top_n: 3 });
  assert.equal(status, 200);
  assert.equal(body.results.length, 3);
  const [own] = (await front.call({ method: 'POST', url: '/rank', payload: { query: '猫' } })).body.results;
  assert.equal(own, undefined, 'the service in front has no covers of its own');
});

test('what the other service finds wrong with the request is told', async () => {
  const { status, body } = await rank('other', { weights: { shine: 1 } });
  assert.equal(status, 400);
  assert.equal(body.errors[0].path, '/weights/shine');
});

test('a service that is not configured, not there, locked or odd is told apart from its answers', async () => {
  assert.equal((await rank('nobody')).status, 404);
  assert.equal((await rank('http:%2F%2F127.0.0.1')).status, 404);
  for (const name of ['gone', 'locked']) {
    const { status, body } = await rank(name);
    assert.deepEqual([status, body.code], [503, 'unavailable'], name);
    assert.doesNotMatch(JSON.stringify(body), /127\.0\.0\.1/);
  }
  for (const body of ['<p>welcome</p>', '{"results": 3}', '{"code": "internal", "detail": "secret"}', 'null']) {
    for (const status of [200, 500]) {
      answerOddly = () => ({ status, body });
      const answer = await rank('odd');
      assert.deepEqual([answer.status, answer.body.code], [503, 'unavailable'], body);
      assert.doesNotMatch(answer.text, /secret|welcome/);
    }
  }
});

test('an answer that is too late or too busy is told as such', async () => {
  answerOddly = () => ({ status: 429, body: '{"code": "overloaded"}' });
  assert.equal((await rank('odd')).status, 429);
  answerOddly = () => ({ status: 504, body: '{"code": "deadline_exceeded"}' });
  assert.equal((await rank('odd')).status, 504);
});

test('the names of services are told, their addresses and keys are not', async () => {
  const { text, body } = await front.call({ url: '/settings' });
  assert.deepEqual(body.services, ['other', 'locked', 'odd', 'gone']);
  assert.ok(!text.includes('127.0.0.1') && !text.includes(key));
});
