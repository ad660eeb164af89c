import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { packageRoot } from '../../src/core/package-root.ts';
import { exportOpenApi } from '../../src/http/export-openapi.ts';
import type { Document } from './contract.ts';

const text = await exportOpenApi();
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('the committed document is current', async () => {
  const committed = await readFile(join(packageRoot, 'openapi/openapi.json'), 'utf8');
  assert.equal(committed, text, 'run `npm run openapi` and commit openapi/openapi.json');
});

test('it is OpenAPI 3.1 and has every resource', () => {
  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort(), [
    'DELETE /covers/{id}',
    'DELETE /judgements',
    'GET /covers/{id}',
    'GET /covers/{id}/image',
    'GET /index',
    'GET /judgements',
    'GET /judgements/export',
    'GET /livez',
    'GET /metrics',
    'GET /readyz',
    'GET /settings',
    'GET /startupz',
    'GET /stats',
    'GET /tasks/{id}',
    'POST /embed',
    'POST /index',
    'POST /judgements/import',
    'POST /rank',
    'POST /score',
    'POST /services/{name}/rank',
    'POST /snapshot',
    'PUT /judgements',
  ]);
});

test('operations have names of their own and every error is a problem document', () => {
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { path, method, operation } of operations) {
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      assert.deepEqual(
        Object.keys(response.content ?? {}),
        ['application/problem+json'],
        `${method} ${path} ${status}`,
      );
    }
  }
});

test('what needs a key says so', () => {
  const open = operations.filter(({ operation }) => operation.security.length === 0).map(({ path }) => path);
  assert.deepEqual(open.sort(), ['/livez', '/readyz', '/startupz']);
  for (const { operation } of operations.filter(({ operation }) => operation.security.length > 0)) {
    assert.ok(operation.responses['401'] && operation.responses['403'], operation.operationId);
  }
});

test('every schema compiles and every reference leads somewhere', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'openapi', components: document.components });
  const references = [...text.matchAll(/"\$ref": "#([^"]+)"/g)].map((match) => match[1]);
  assert.ok(references.length > 20);
  for (const reference of new Set(references)) assert.ok(ajv.getSchema(`openapi#${reference}`), reference);
});
