import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import pino from 'pino';
import { defaultConfig } from '../../../../src/config.ts';
import { createApp } from '../../../../src/http/app.ts';
import { createLifecycle } from '../../../../src/http/lifecycle.ts';
import type { App } from '../../../../src/http/route.ts';

/** The application alone: the page needs nothing of the services. */
let app: App;
before(async () => {
  app = await createApp(createLifecycle(), defaultConfig(), pino({ level: 'silent' }));
});
after(() => app.close());

const assetsOf = (page: string) =>
  [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');

test('the page is there before the service is ready, holds no script of its own, and is asked for anew', async () => {
  const { statusCode, headers, body } = await app.inject('/');
  assert.equal(statusCode, 200);
  assert.match(String(headers['content-type']), /^text\/html/);
  assert.equal(headers['cache-control'], 'no-cache');
  assert.doesNotMatch(body, /<script(?![^>]* src=)|<style|style=|\son\w+=/);
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
});

test('its assets are named by their content and kept for good, compressed for who can read that', async () => {
  const assets = assetsOf((await app.inject('/')).body);
  assert.equal(assets.length, 3);
  let bytes = 0;
  for (const url of assets) {
    assert.match(url, /-[A-Z0-9]{8}\.(js|css|svg)$/);
    const plain = await app.inject({ url });
    assert.equal(plain.statusCode, 200);
    assert.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable');
    const packed = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.deepEqual(gunzipSync(packed.rawPayload), plain.rawPayload);
    bytes += packed.rawPayload.length;
  }
  assert.ok(bytes < 150 * 1024, `${bytes} bytes`);
});

test('what is no asset is not there', async () => {
  for (const url of ['/assets/none.js', '/assets/', '/index.html', '/assets/..%2findex.html', '/assets/%2e%2e%2fsrc']) {
    const { statusCode, headers } = await app.inject({ url });
    assert.ok(statusCode === 404 || statusCode === 400, `${url}: ${statusCode}`);
    assert.match(String(headers['content-type']), /problem/);
  }
});
