import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RANK_KINDS, type Report } from '../../loadtest/report.ts';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../loadtest/main.js', import.meta.url));
const SHORT = [
  '--duration',
  '1',
  '--warmup',
  '0',
  '--covers',
  '24',
  '--recall-k',
  '10',
  '--rerank-k',
  '5',
  '--top-n',
  '5',
];

test('a short run against a service of its own, in both loops', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'loadtest-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const loadTest = async (name: string, ...more: string[]) => {
    const out = join(folder, `${name}.json`);
    const { stdout } = await run(process.execPath, [MAIN, ...SHORT, '--out', out, ...more]);
    return { stdout, report: JSON.parse(await readFile(out, 'utf8')) as Report };
  };

  await t.test('closed loop', async () => {
    const { report } = await loadTest('closed', '--connections', '4');
    assert.equal(report.load.loop, 'closed');
    assert.equal(report.target.covers, 24);
    assert.equal(report.target.bundle.name, 'demo');
    assert.ok((report.rank.statuses['200'] ?? 0) > 0);
    assert.deepEqual(report.rank.failures, {});
    assert.ok(report.eventLoopDelayMs !== null);
    assert.equal(report.sendLagMs, null);
    const counts = RANK_KINDS.map((kind) => report.kinds[kind]?.requests ?? 0);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      report.rank.requests,
    );
    const stages = report.kinds['rank-fresh']?.stagesMs ?? {};
    assert.deepEqual(Object.keys(stages), ['queue', 'tokenize', 'embed', 'recall', 'rerank', 'fuse', 'total']);
  });

  await t.test('fixed rate while covers are indexed, beside the earlier run', async () => {
    const earlier = join(folder, 'closed.json');
    const { report, stdout } = await loadTest('rate', '--rate', '40', '--index-rate', '8', '--compare', earlier);
    assert.equal(report.load.ratePerSecond, 40);
    assert.ok(report.sendLagMs !== null && report.sendLagMs.count === report.rank.requests);
    assert.ok(report.index !== null && report.index.requests > 0);
    assert.deepEqual(Object.keys(report.index.statuses), ['200']);
    assert.match(stdout, /compared/);
    assert.match(await readFile(join(folder, 'rate.html'), 'utf8'), /Compared with an earlier run/);
  });
});

test('a service that cannot be reached ends the run with the reason', async () => {
  await assert.rejects(run(process.execPath, [MAIN, ...SHORT, '--url', 'http://127.0.0.1:9']), (error: unknown) => {
    const { code, stderr } = error as { code: number; stderr: string };
    assert.equal(code, 1);
    assert.match(stderr, /ECONNREFUSED/);
    return true;
  });
});
