import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A `coverrank` process that is going to be killed. */
export interface Process {
  readonly child: ChildProcess;
  /** How it ended: the signal, or the exit code. */
  readonly ended: Promise<string>;
}

export interface ServiceProcess extends Process {
  readonly url: string;
  /** Events of its log. */
  readonly events: readonly string[];
}

const CLI = fileURLToPath(new URL('../../../src/cli.js', import.meta.url));
const KILL_AT_STEP = new URL('./kill-at-step.js', import.meta.url).href;

/** `killAt` names a step and how often it is reached first, such as `graph renamed:2`; undefined: it runs on. */
export function startProcess(args: readonly string[], killAt: string | undefined): Process {
  const preload = killAt === undefined ? [] : ['--import', KILL_AT_STEP];
  const child = spawn(process.execPath, [...preload, CLI, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KILL_AT_STEP: killAt },
  });
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ?? String(code)));
  });
  return { child, ended };
}

/** Starts the service and waits until it is ready; undefined when it ended before, which a named step may cause. */
export async function startService(
  dataDir: string,
  flags: readonly string[],
  killAt: string | undefined,
): Promise<ServiceProcess | { readonly url: undefined; readonly ended: Promise<string> }> {
  const { child, ended } = startProcess(['serve', '--port', '0', '--data-dir', dataDir, ...flags], killAt);
  const events: string[] = [];
  const url = await new Promise<string | undefined>((resolve) => {
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { event, url } = JSON.parse(line) as { event?: string; url?: string };
        if (event !== undefined) events.push(event);
        if (event === 'listening') resolve(url);
      });
    }
    void ended.then(() => resolve(undefined));
  });
  return url === undefined ? { url, ended } : { child, ended, url, events };
}

export async function postJson(url: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, body: await response.json() };
}
