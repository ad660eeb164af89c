import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Level } from '../../../loadtest/overload/level.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../../loadtest/overload/main.js', import.meta.url));

test('a short run finds a rate, loads above it and tells what came of it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'overload-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const out = join(folder, 'overload.json');
  const args = [
    '--levels',
    '0.5,3',
    '--seconds',
    '1',
    '--pause',
    '0',
    '--covers',
    '24',
    '--rerank-k',
    '20',
    '--out',
    out,
  ];
  const { stdout } = await run(process.execPath, [MAIN, ...args]);
  const report = JSON.parse(await readFile(out, 'utf8')) as { saturationPerSecond: number; levels: Level[] };
  assert.ok(report.saturationPerSecond > 0);
  assert.deepEqual(
    report.levels.map(({ load }) => load),
    [0.5, 3],
  );
  for (const { requests, answered, refused, others, rssMiB, probesFailed } of report.levels) {
    const other = Object.values(others).reduce((sum, count) => sum + count, 0);
    assert.equal(answered + refused + other, requests);
    assert.ok(rssMiB.max > 0);
    assert.equal(Math.max(...rssMiB.quarters), rssMiB.max);
    assert.equal(probesFailed, 0);
  }
  assert.match(stdout, /probes and metrics within 100 ms/);
});
