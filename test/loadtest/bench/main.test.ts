import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { BenchReport } from '../../../loadtest/bench/report.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../../loadtest/bench/main.js', import.meta.url));
const SMALL = ['--size', 'tiny', '--quick', '--covers', '64', '--restart-covers', '64', '--rerank-k', '4'];

test('rows in this process and on a served one, with a small model of its own making', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const bench = async (name: string, ...more: string[]) => {
    const out = join(folder, `${name}.json`);
    const { stdout } = await run(process.execPath, [MAIN, ...SMALL, '--cache', folder, '--out', out, ...more]);
    return { stdout, report: JSON.parse(await readFile(out, 'utf8')) as BenchReport };
  };

  const { report } = await bench('first', '--only', 'text,rerank-int8,restart');
  assert.deepEqual(report.failed, {});
  assert.deepEqual(
    report.figures.map(({ id }) => id),
    ['text-one', 'text-saturated', 'rerank-int8', 'rerank-int8-pairs', 'restart'],
  );
  for (const { id, value, rounds, parts } of report.figures) {
    assert.equal(rounds.length, 1, id);
    assert.ok(value.min > 0 && Number.isFinite(value.max), id);
    assert.ok(Object.values(parts).length >= 2, id);
  }
  assert.equal(report.figures.at(-1)?.parts['covers']?.median, 64);
  assert.ok(report.warnings.some((warning) => warning.includes('no figures')));
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.endsWith('.unfinished')),
    [],
  );

  const { stdout } = await bench('second', '--only', 'text', '--compare', join(folder, 'first.json'));
  assert.match(stdout, /text-one.*not told/);
});

test('a row that does not exist is refused by name', async () => {
  await assert.rejects(run(process.execPath, [MAIN, '--only', 'nothing']), (error: unknown) => {
    assert.match((error as { stderr: string }).stderr, /There is no row nothing; there are graph, text, /);
    return true;
  });
});
