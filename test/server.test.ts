import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { defaultConfig } from '../src/config.ts';
import { failure, isFailure } from '../src/core/errors.ts';
import { packageRoot } from '../src/core/package-root.ts';
import { startServer } from '../src/server.ts';
import { sampleItems, until } from './http/service.ts';

interface Service {
  readonly process: ChildProcess;
  readonly url: string;
  /** Lines of the log so far. */
  readonly log: readonly Record<string, unknown>[];
  readonly ended: Promise<number | null>;
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-server-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** `coverrank serve` as a process of its own, ready. */
async function spawnService(t: TestContext, dataDir: string, flags: readonly string[] = []): Promise<Service> {
  const child = spawnCli(['serve', '--port', '0', '--data-dir', dataDir, ...flags]);
  t.after(() => child.kill('SIGKILL'));
  const log: Record<string, unknown>[] = [];
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const ready = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as Record<string, unknown>;
      log.push(entry);
      if (entry['event'] === 'listening') resolve(String(entry['url']));
    });
    void ended.then((code) => reject(failure('unavailable', `the service ended with ${code} before it was ready`)));
  });
  return { process: child, url: await ready, log, ended };
}

function spawnCli(args: readonly string[]) {
  const cli = fileURLToPath(new URL('../src/cli.js', import.meta.url));
  return spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs a command that is expected to end by itself. */
async function runCli(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawnCli(args);
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdout.resume();
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stderr })));
}

const post = (url: string, body: object) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

async function isIndexing({ url }: Service): Promise<boolean> {
  return /class="index",state="running"\} 1/.test(await (await fetch(`${url}/metrics`)).text());
}

/** A request to /index that has sent one line and does not end by itself. */
async function openStream(t: TestContext, service: Service): Promise<void> {
  const request = httpRequest(`${service.url}/index`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  t.after(() => request.destroy());
  // The service is going to cut it off.
  request.on('error', () => {}).on('response', (response) => response.on('error', () => {}).resume());
  request.write('{"id":"nobody","delete":true}\n');
  await until(() => isIndexing(service));
}

test('a service says once that it is ready, finishes what runs on SIGTERM, and keeps what it acknowledged', async (t) => {
  const dataDir = await temporaryFolder(t);
  const first = await spawnService(t, dataDir, ['--log-level', 'warn']);
  const items = await sampleItems(24);

  assert.equal((await fetch(`${first.url}/readyz`)).status, 200);
  assert.equal((await post(`${first.url}/index`, { items: items.slice(0, 4) })).status, 200);
  const running = post(`${first.url}/index`, { items: items.slice(4) });
  await until(() => isIndexing(first));
  first.process.kill('SIGTERM');

  const finished = await running;
  assert.equal(finished.status, 200);
  assert.equal(((await finished.json()) as { errors: boolean }).errors, false);
  assert.equal(await first.ended, 0);
  assert.equal(first.log.filter((entry) => entry['event'] === 'listening').length, 1);
  await assert.rejects(fetch(`${first.url}/livez`));

  const second = await spawnService(t, dataDir);
  const index = (await (await fetch(`${second.url}/index`)).json()) as { covers: number };
  assert.equal(index.covers, 24);
  const ranked = await post(`${second.url}/rank`, { query: '猫', top_n: 3, deadline_ms: 20_000 });
  assert.equal(((await ranked.json()) as { results: unknown[] }).results.length, 3);
  second.process.kill('SIGINT');
  assert.equal(await second.ended, 0);
  const events = second.log.map((entry) => entry['event']);
  assert.ok(events.includes('stopping') && events.includes('stopped'));
});

test('while it drains, newcomers hear that it is leaving; a second signal ends it at once', async (t) => {
  const service = await spawnService(t, await temporaryFolder(t));
  await openStream(t, service);

  service.process.kill('SIGTERM');
  await until(async () => (await fetch(`${service.url}/readyz`)).status === 503);
  const refused = await post(`${service.url}/rank`, { query: '猫' });
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, 'draining');

  service.process.kill('SIGTERM');
  assert.equal(await service.ended, 1);
});

test('requests that do not end in time are cut off, and the end is still an orderly one', async (t) => {
  const service = await spawnService(t, await temporaryFolder(t), ['--shutdown-timeout-ms', '100']);
  await openStream(t, service);
  service.process.kill('SIGTERM');
  assert.equal(await service.ended, 0);
  assert.ok(service.log.some((entry) => entry['event'] === 'cut_off'));
});

test('a start that cannot succeed says why on one line and ends with an error', async (t) => {
  const folder = await temporaryFolder(t);
  const model = join(folder, 'model');
  await cp(join(packageRoot, 'models/demo'), model, { recursive: true });
  const graph = join(model, 'text.onnx.data');
  const bytes = await readFile(graph);
  bytes[1000] = (bytes[1000] ?? 0) ^ 0xff;
  await writeFile(graph, bytes);

  const damaged = await runCli(['serve', '--port', '0', '--data-dir', join(folder, 'data'), '--model', model]);
  assert.equal(damaged.code, 1);
  assert.match(damaged.stderr, /^coverrank: .*text\.onnx\.data.*\n$/);

  const missing = await runCli([
    'serve',
    '--port',
    '0',
    '--data-dir',
    join(folder, 'data'),
    '--model',
    join(folder, 'no'),
  ]);
  assert.equal(missing.code, 1);
  assert.equal(missing.stderr.trimEnd().split('\n').length, 1);
});

test("a data folder is one process's, and an address too", async (t) => {
  const dataDir = await temporaryFolder(t);
  const service = await spawnService(t, dataDir);
  const sameFolder = await runCli(['serve', '--port', '0', '--data-dir', dataDir]);
  assert.equal(sameFolder.code, 1);
  assert.match(sameFolder.stderr, /^coverrank: .*\n$/);
  const port = new URL(service.url).port;
  const samePort = await runCli(['serve', '--port', port, '--data-dir', await temporaryFolder(t)]);
  assert.equal(samePort.code, 1);
  assert.match(samePort.stderr, /EADDRINUSE/);
  service.process.kill('SIGTERM');
  assert.equal(await service.ended, 0);
});

test('an address beyond loopback needs keys, or the word that it does not', async () => {
  const log = pino({ level: 'silent' });
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
    await assert.rejects(startServer(defaultConfig({ host }), log), (error) => {
      assert.ok(isFailure(error, 'invalid_config'));
      assert.match(error.detail, /api_keys.*--insecure/);
      return true;
    });
  }
});
