import assert from 'node:assert/strict';
import { test } from 'node:test';
import Fastify from 'fastify';
import { isFailure } from '../../src/core/errors.ts';
import { addAuthentication } from '../../src/http/auth.ts';

test('a route that declares neither scope nor public cannot be registered', () => {
  const app = Fastify();
  addAuthentication(app, [], '/docs');
  assert.throws(() => app.get('/open', async () => 'x'), /GET \/open declares neither a scope nor that it is public/);
  app.get('/docs/static/file.js', async () => 'x');
  assert.throws(() => app.get('/docs-internal', async () => 'x'), /declares neither/);
});

test('a hash of another form is refused when the service starts', () => {
  const add = () => addAuthentication(Fastify(), [{ name: 'ci', hash: 'plain-key', scopes: ['rank'] }], '/docs');
  assert.throws(add, (error) => isFailure(error, 'invalid_config') && error.detail.includes('"ci"'));
});
