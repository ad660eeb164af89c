import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A service that was started for this run. */
export interface StartedService {
  readonly url: string;
  /** Ends it and removes its data, unless they lie in a folder that was given. */
  stop(): Promise<void>;
}

export interface ServiceOptions {
  /** A folder that is kept; without it an empty one is made and removed again. */
  readonly dataDir?: string;
  /** Other settings as flags of `coverrank serve`: `['--model', folder]`. */
  readonly flags?: readonly string[];
  readonly readyWithinMs?: number;
}

const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;

/**
 * Starts `coverrank serve` on a free port; settings that are not given come from the environment as ever. Fails with the
 * end of its log when it does not get ready.
 */
export async function startService(cliFile: string, options: ServiceOptions = {}): Promise<StartedService> {
  const { flags = [], readyWithinMs = READY_WITHIN_MS } = options;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'coverrank-loadtest-')));
  const child = spawn(process.execPath, [cliFile, 'serve', '--port', '0', '--data-dir', dataDir, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    await end(child);
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    return { url: await listeningUrl(child, readyWithinMs), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listeningUrl(child: ChildProcess, readyWithinMs: number): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('The service was started without pipes.');
  const lastLines: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => giveUp(`is not ready after ${readyWithinMs / 1000} s`), readyWithinMs);
    const giveUp = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`The service ${what}. Its last lines:\n${lastLines.join('\n')}`));
    };
    // The pipes are read to the end of the run: a full one would stop the service.
    for (const stream of [stdout, stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        lastLines.push(line);
        if (lastLines.length > 20) lastLines.shift();
        const url = announcedUrl(line);
        if (url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      });
    }
    child.once('error', (error) => giveUp(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => giveUp(`ended with ${signal ?? `code ${code}`}`));
  });
}

/** The URL of a log line with `"event":"listening"`. */
function announcedUrl(line: string): string | undefined {
  if (!line.includes('"event":"listening"')) return undefined;
  const { event, url } = JSON.parse(line) as { event?: unknown; url?: unknown };
  return event === 'listening' && typeof url === 'string' ? url : undefined;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
  await exited;
  clearTimeout(timer);
}
