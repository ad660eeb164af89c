import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/core/package-root.ts';

const run = promisify(execFile);

test('every package, of production and of development, has a licence that is on the list', async () => {
  const { stdout } = await run(process.execPath, [join(packageRoot, 'scripts/licences.mjs'), '--all', '--json']);
  const packages = JSON.parse(stdout) as { name: string; allowed: boolean }[];
  assert.ok(packages.length > 150);
  assert.ok(packages.some(({ name }) => name === 'fastify'));
});

test('a licence that is not on the list is named, and ends the script with 1', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-licences-'));
  t.after(() => rm(folder, { recursive: true }));
  await cp(join(packageRoot, 'scripts'), join(folder, 'scripts'), { recursive: true });
  const packages = {
    '': { license: 'Apache-2.0' },
    'node_modules/fine': { version: '1.0.0', license: '(MIT OR GPL-3.0-only)' },
    'node_modules/a/node_modules/@x/viral': { version: '2.0.0', license: 'MIT AND GPL-3.0-only' },
    'node_modules/silent': { version: '3.0.0' },
    'node_modules/tool': { version: '4.0.0', license: 'GPL-3.0-only', dev: true },
  };
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ packages }));
  const ended = await run(process.execPath, [join(folder, 'scripts/licences.mjs')]).catch((error) => error);
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /@x\/viral \(MIT AND GPL-3.0-only\)/);
  assert.match(ended.stderr, /silent \(none\)/);
  assert.doesNotMatch(ended.stderr, /fine|tool/);
});

test('the lock file names no host and has a digest of every package', async () => {
  const lock = JSON.parse(await readFile(join(packageRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  for (const [path, { resolved, integrity }] of Object.entries(lock.packages)) {
    assert.equal(resolved, undefined, path);
    if (path !== '') assert.match(integrity ?? '', /^sha512-/, path);
  }
});
