import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { defaultConfig } from '../../../src/config.ts';
import { createApp } from '../../../src/http/app.ts';
import { createLifecycle } from '../../../src/http/lifecycle.ts';

async function openApp(t: TestContext, cors_origins: string[] = [], trust_proxy: string[] = []) {
  const config = defaultConfig({ cors_origins, trust_proxy });
  const app = await createApp(createLifecycle(), config, pino({ level: 'silent' }));
  t.after(() => app.close());
  return app;
}

const preflight = (origin: string) => ({
  method: 'OPTIONS' as const,
  url: '/rank',
  headers: { origin, 'access-control-request-method': 'POST' },
});

test('an answer forbids everything that this service does not serve', async (t) => {
  const app = await openApp(t);
  const { headers } = await app.inject('/livez');
  const policy = String(headers['content-security-policy']).split(';');
  for (const rule of ["default-src 'self'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
    assert.ok(policy.includes(rule), rule);
  }
  assert.ok(policy.includes("img-src 'self' data: blob:"));
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['referrer-policy'], 'no-referrer');
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
  assert.equal(headers['strict-transport-security'], undefined);
});

test('Swagger UI has a policy of its own, in which its styles work', async (t) => {
  const app = await openApp(t);
  for (const url of ['/docs/', '/docs/static/swagger-ui.css']) {
    const { statusCode, headers } = await app.inject(url);
    assert.equal(statusCode, 200);
    assert.match(String(headers['content-security-policy']), /style-src 'self' 'unsafe-inline'/);
    assert.doesNotMatch(String(headers['content-security-policy']), /script-src[^;]*unsafe/);
  }
});

test('pages of other origins get nothing unless they are listed', async (t) => {
  const closed = await openApp(t);
  const refused = await closed.inject(preflight('https://search.example'));
  assert.equal(refused.statusCode, 405);
  assert.equal(refused.headers['access-control-allow-origin'], undefined);

  const open = await openApp(t, ['https://search.example']);
  const allowed = await open.inject(preflight('https://search.example'));
  assert.equal(allowed.statusCode, 204);
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://search.example');
  assert.match(String(allowed.headers['access-control-allow-headers']), /authorization/);
  const stranger = await open.inject(preflight('https://evil.example'));
  assert.notEqual(stranger.headers['access-control-allow-origin'], 'https://evil.example');
});

test("a form of another page cannot make the service write; the service's own page and plain clients can", async (t) => {
  const app = await openApp(t, ['https://search.example']);
  const snapshot = async (headers: Record<string, string>) =>
    (await app.inject({ method: 'POST', url: '/snapshot', headers })).statusCode;
  assert.equal(await snapshot({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }), 403);
  assert.equal(await snapshot({ 'sec-fetch-site': 'same-site', origin: 'https://other.search.example' }), 403);
  assert.equal(await snapshot({ 'sec-fetch-site': 'cross-site' }), 403);
  // Past the door there is a service that is still starting.
  for (const headers of [
    {},
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://search.example' },
  ]) {
    assert.equal(await snapshot(headers as Record<string, string>), 503);
  }
});

test('over plain HTTP, where browsers say no more than the origin, the origin decides', async (t) => {
  const app = await openApp(t, ['https://search.example'], ['127.0.0.1']);
  const snapshot = async (headers: Record<string, string>) =>
    (await app.inject({ method: 'POST', url: '/snapshot', headers })).statusCode;
  const host = 'covers.lan:8080';
  for (const headers of [
    { host, origin: 'http://evil.example' },
    { host, origin: 'http://covers.lan' },
    { host, origin: 'http://covers.lan:8080.evil.example' },
    { host, origin: 'null' },
  ]) {
    assert.equal(await snapshot(headers), 403, headers.origin);
  }
  for (const headers of [
    { host, origin: 'http://covers.lan:8080' },
    { host, origin: 'https://search.example' },
    { host: 'covers.example:443', origin: 'https://covers.example' },
    // Behind proxies that hand on another Host: one that is trusted with the right one, and any if the browser says so.
    { host, 'x-forwarded-host': 'covers.example', origin: 'https://covers.example' },
    { host: 'backend:8080', 'sec-fetch-site': 'same-origin', origin: 'https://covers.example' },
  ]) {
    assert.equal(await snapshot(headers as Record<string, string>), 503, headers.origin);
  }
});
