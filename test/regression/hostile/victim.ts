import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { hashKey } from '../../../src/core/api-key.ts';
import { packageRoot } from '../../../src/core/package-root.ts';

/** A service in a process and a folder of its own, with what shows whether it came to harm. */
export interface Victim {
  readonly port: number;
  /** The folder in which it has its data folder, its home and its temporary files. */
  readonly root: string;
  /** Errors that it logged. */
  readonly logged: readonly string[];
  /** What is wrong with the service itself: empty while nothing is. */
  harm(): Promise<string[]>;
  close(): Promise<void>;
}

const CLI = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
const CANARIES = 3;

/** Runs before the service in its process: on a signal that ends no process it tells what its prototypes have that they did not have. */
const WATCH = `
const names = () => [Object, Array, Function, String, Number, Boolean, Map, Promise]
  .flatMap(({ name, prototype }) => Reflect.ownKeys(prototype).map((key) => name + '.' + String(key)));
const before = new Set(names());
process.on('SIGWINCH', () => {
  const added = names().filter((name) => !before.has(name));
  process.stdout.write(JSON.stringify({ event: 'prototypes', added }) + '\\n');
});`;

/** With a key, which then every request to it needs. */
export async function startVictim(key?: string): Promise<Victim> {
  const root = await mkdtemp(join(tmpdir(), 'coverrank-hostile-'));
  for (const folder of ['home', 'tmp']) await mkdir(join(root, folder));
  const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--data-dir', join(root, 'data')], {
    cwd: join(root, 'home'),
    env: {
      PATH: process.env['PATH'],
      HOME: join(root, 'home'),
      TMPDIR: join(root, 'tmp'),
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(WATCH)}`,
      COVERRANK_LOG_LEVEL: 'error',
      ...(key === undefined ? {} : { COVERRANK_API_KEYS: keysWith(key) }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { lines, logged } = collectLines(child);
  const port = Number(new URL(String((await lines('listening'))['url'])).port);
  await indexCanaries(port, key);
  const filesBefore = await filesOutsideData(root);

  async function harm(): Promise<string[]> {
    if (child.exitCode !== null || child.signalCode !== null)
      return [`ended with ${child.exitCode ?? child.signalCode}`];
    const told = lines('prototypes');
    child.kill('SIGWINCH');
    const { added } = await told;
    const filesNow = await filesOutsideData(root);
    const strange = filesNow.filter((file) => !filesBefore.includes(file));
    return [
      ...(added as string[]).map((name) => `${name} was added`),
      ...strange.map((file) => `${file} was written outside of the data folder`),
      ...(await canaryFaults(port, key)),
    ];
  }

  return {
    port,
    root,
    logged,
    harm,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Lines of the log: those that are waited for by their event, and errors. */
function collectLines(child: ChildProcess) {
  const logged: string[] = [];
  const waiting = new Map<string, PromiseWithResolvers>();
  const lines = (event: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => waiting.set(event, { resolve, reject }));
  child.once('exit', (code, signal) => {
    const error = new Error(`the service ended with ${signal ?? code}: ${logged.join('\n')}`);
    for (const { reject } of waiting.values()) reject(error);
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('the service was started without pipes');
  createInterface({ input: stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    const waits = waiting.get(String(line['event']));
    if (waits === undefined) logged.push(text);
    else waits.resolve(line);
  });
  createInterface({ input: stderr }).on('line', (text) => logged.push(text));
  return { lines, logged };
}

interface PromiseWithResolvers {
  resolve(line: Record<string, unknown>): void;
  reject(error: Error): void;
}

function keysWith(key: string): string {
  return JSON.stringify([{ name: 'all', hash: hashKey(key), scopes: ['admin'] }]);
}

async function indexCanaries(port: number, key: string | undefined): Promise<void> {
  const items = await Promise.all(
    Array.from({ length: CANARIES }, async (_, number) => ({
      id: `canary-${number}`,
      image_base64: (await readFile(join(packageRoot, 'index/samples', `cover-000${number}.webp`))).toString('base64'),
    })),
  );
  const answer = await call(port, key, '/index', { items });
  if (answer.status !== 200) throw new Error(`/index answered ${answer.status}`);
}

/** The service is ready and ranks what it was given before. */
async function canaryFaults(port: number, key: string | undefined): Promise<string[]> {
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
  const candidates = Array.from({ length: CANARIES }, (_, number) => `canary-${number}`);
  const { status, body } = await call(port, key, '/rank', { query: '猫', candidates, deadline_ms: 60_000 });
  const { results = [] } = body as { results?: { id: string }[] };
  return [
    ...(ready.status === 200 ? [] : [`/readyz answers ${ready.status}`]),
    ...(status === 200 && results.length === CANARIES ? [] : [`/rank answers ${status} with ${results.length} covers`]),
  ];
}

async function call(port: number, key: string | undefined, path: string, body: object) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as unknown };
}

async function filesOutsideData(root: string): Promise<string[]> {
  const files = await readdir(root, { recursive: true });
  return files.filter((file) => file !== 'data' && !file.startsWith('data/'));
}
