import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { addAuthentication } from '../../../src/http/access/auth.ts';
import { createKeyRing } from '../../../src/http/access/key-ring.ts';

test('a route that declares neither scope nor public cannot be registered', () => {
  const app = Fastify();
  addAuthentication(app, createKeyRing([]), '/docs');
  assert.throws(() => app.get('/open', async () => 'x'), /GET \/open declares neither a scope nor that it is public/);
  app.get('/docs/static/file.js', async () => 'x');
  assert.throws(() => app.get('/docs-internal', async () => 'x'), /declares neither/);
});
