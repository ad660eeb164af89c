import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { generateKey, hashKey, type Scope } from '../../../src/core/api-key.ts';
import type { Document } from '../contract.ts';
import { openService, type TestService } from '../service.ts';

const scopes: readonly Scope[] = ['rank', 'index', 'admin'];
const keys = Object.fromEntries(scopes.map((scope) => [scope, generateKey()])) as Record<Scope, string>;

let service: TestService;
before(async () => {
  const api_keys = scopes.map((scope) => ({ name: `${scope}-key`, hash: hashKey(keys[scope]), scopes: [scope] }));
  service = await openService({ api_keys });
});
after(() => service.close());

/** Every documented operation, as a request that is otherwise incomplete: it must not matter. */
function operations() {
  // The plugin types the document more loosely than what it writes.
  const document = service.app.swagger() as unknown as Document;
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      request: { method: method.toUpperCase() as 'GET', url: path.replace(/\{\w+\}/, 'none') },
      accepted: operation.security.flatMap((entry) => entry['key'] ?? []),
      isOpen: operation.security.length === 0,
    })),
  );
}

test('every operation asks for the scope that the document names, whatever else is wrong with the request', async () => {
  let refused = 0;
  for (const { request, accepted, isOpen } of operations()) {
    const statusWith = async (authorization?: string) =>
      (await service.call({ ...request, headers: authorization === undefined ? {} : { authorization } })).status;
    for (const wrong of [undefined, 'Bearer wrong', `Basic ${keys.admin}`, keys.admin, 'Bearer ', 'Bearer a b']) {
      assert.equal((await statusWith(wrong)) === 401, !isOpen, `${request.method} ${request.url} with ${wrong}`);
    }
    for (const scope of scopes) {
      const mayCall = isOpen || scope === 'admin' || accepted.includes(scope);
      const status = await statusWith(`Bearer ${keys[scope]}`);
      assert.equal(status === 403, !mayCall, `${request.method} ${request.url} with ${scope}`);
      assert.notEqual(status, 401);
      if (!mayCall) refused++;
    }
  }
  assert.ok(refused >= 5);
});

test('a refusal says what is asked for', async () => {
  const missing = await service.call({ method: 'POST', url: '/rank', payload: { query: 'x' } });
  assert.equal(missing.body.code, 'unauthenticated');
  assert.equal(missing.headers['www-authenticate'], 'Bearer realm="coverrank"');
  const lacking = await service.call({
    method: 'POST',
    url: '/index',
    payload: { items: [] },
    headers: { authorization: `bearer ${keys.rank}` },
  });
  assert.equal(lacking.body.code, 'forbidden');
  assert.match(lacking.body.detail, /scope index/);
});

test('the page, the document and Swagger UI are open', async () => {
  for (const url of ['/', '/openapi.json', '/docs/', '/docs/static/swagger-ui.css']) {
    assert.equal((await service.app.inject({ url })).statusCode, 200, url);
  }
});
