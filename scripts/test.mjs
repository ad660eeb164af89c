// Runs the compiled tests with node:test. `node scripts/test.mjs` runs all but test/regression; folders or files below
// dist/test may be named: `node scripts/test.mjs store regression/crash`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', 'dist', 'test');
const named = process.argv.slice(2);
const files =
  named.length > 0 ? named.flatMap(testsBelow) : testsBelow('').filter((file) => !file.includes('regression'));

if (files.length === 0) {
  console.error(`No test matches ${named.join(' ')}.`);
  process.exit(1);
}
// Node's own choice leaves a core free, which on two cores means one file after the other, most of whose time is waiting.
const concurrency = Math.max(2, availableParallelism() - 1);
const flags = ['--enable-source-maps', '--test', '--test-timeout=240000', `--test-concurrency=${concurrency}`];
const run = spawnSync(process.execPath, [...flags, ...files], { stdio: 'inherit' });
process.exit(run.status ?? 1);

function testsBelow(name) {
  const path = [join(root, name), join(root, name.replace(/\.ts$/, '.js')), join(root, `${name}.test.js`)].find(
    existsSync,
  );
  if (path === undefined) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join(path, file))
    .sort();
}
