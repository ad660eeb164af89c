import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { packageRoot } from '../../../src/core/package-root.ts';
import { createLoadTarget, type LoadTarget } from './load-target.ts';

const FOLDER = join(packageRoot, 'loadtest', 'peer');
/** Building its graph is part of the first start. */
const READY_WITHIN_MS = 1_800_000;
const run = promisify(execFile);

export interface PeerOptions {
  /** An interpreter that has what loadtest/peer/requirements.txt names. */
  readonly python: string;
  readonly checkpoint: string;
  readonly vocabulary: string;
  /** Folder of `preparePeerFiles`. */
  readonly covers: string;
  /** Flags of loadtest/peer/server.py that choose how it runs. */
  readonly flags: readonly string[];
  /** Processes that each say when they are ready. */
  readonly workers: number;
}

/** The given interpreter, or one in the cache with the packages that the peer needs, installed once. */
export async function peerPython(cache: string, given: string | undefined, say: (what: string) => void) {
  if (given !== undefined) return given;
  const folder = join(cache, 'peer-venv');
  const python = join(folder, 'bin', 'python');
  const installed = join(folder, 'installed');
  if (!existsSync(installed)) {
    say('installing what the peer needs: several GB with PyTorch');
    await run('python3', ['-m', 'venv', folder]);
    await run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', join(FOLDER, 'requirements.txt')]);
    await run('touch', [installed]);
  }
  return python;
}

/** Starts loadtest/peer/server.py; closing ends it. */
export async function startPeer(options: PeerOptions, nextQuery: () => string): Promise<LoadTarget> {
  const port = await freePort();
  const { python, checkpoint, vocabulary, covers, flags } = options;
  const fixed = ['--checkpoint', checkpoint, '--vocabulary', vocabulary, '--covers', covers, '--port', String(port)];
  const child = spawn(python, [join(FOLDER, 'server.py'), ...fixed, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  try {
    await untilReady(child, options.workers);
  } catch (error) {
    await end(child);
    throw error;
  }
  const target = createLoadTarget(`http://127.0.0.1:${port}`, nextQuery);
  return {
    ...target,
    async close() {
      await target.close();
      await end(child);
    },
  };
}

async function untilReady(child: ChildProcess, workers: number): Promise<void> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('The peer was started without pipes.');
  const lastLines: string[] = [];
  let ready = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => giveUp('is not ready'), READY_WITHIN_MS);
    const giveUp = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`The peer ${what}. Its last lines:\n${lastLines.join('\n')}`));
    };
    // The pipes are read to the end of the run: a full one would stop the peer.
    for (const stream of [stdout, stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lastLines.push(line);
        if (lastLines.length > 20) lastLines.shift();
        if (line.trim() === 'ready') ready += 1;
        if (ready < workers) return;
        clearTimeout(timer);
        resolve();
      });
    }
    child.once('error', (error) => giveUp(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => giveUp(`ended with ${signal ?? `code ${code}`}`));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  return address.port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(timer);
}
