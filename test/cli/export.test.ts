import assert from 'node:assert/strict';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/core/package-root.ts';
import { coverrank } from './coverrank.ts';

test('export triton writes a repository and says how to use it', async (t) => {
  const out = await mkdtemp(join(tmpdir(), 'coverrank-export-'));
  t.after(() => rm(out, { recursive: true, force: true }));
  const model = join(packageRoot, 'models/demo');
  const written = await coverrank('export', 'triton', '--model', model, '--out', out, '--device', 'cpu', '--json');
  assert.equal(written.code, 0, written.stderr);
  const report = JSON.parse(written.stdout) as Record<string, unknown>;
  assert.equal(report['name'], 'demo');
  // int8 graphs round elsewhere on processors of another kind than the one that recorded the bundle's self-test.
  assert.ok(Number(report['self_test_difference']) < 5e-3);
  await access(join(out, 'demo/config.pbtxt'));

  const taken = await coverrank('export', 'triton', '--model', model, '--out', out);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /^coverrank: .*--force\.\n$/);
  const replaced = await coverrank('export', 'triton', '--model', model, '--out', out, '--force');
  assert.equal(replaced.code, 0, replaced.stderr);
  assert.match(replaced.stdout, /--rerank-url http:\/\/HOST:8000\/v2\/models\/demo/);
  assert.match(replaced.stderr, /int8/);
});

test('a kind of export that does not exist, and a missing option, are wrong use', async () => {
  assert.equal((await coverrank('export', 'tensorrt')).code, 2);
  const incomplete = await coverrank('export', 'triton');
  assert.equal(incomplete.code, 2);
  assert.match(incomplete.stderr, /--out/);
});
