import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type Browser, chromium } from 'playwright-core';
import { defaultConfig } from '../../src/config.ts';
import type { Config } from '../../src/config-schema.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { startServer } from '../../src/server.ts';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Says why there is no browser to test with; undefined where there is one. Where one is required that is an error. */
export function whyNoBrowser(): string | undefined {
  if (chromiumPath() !== undefined) return undefined;
  const reason = 'no Chromium: install the package chromium, or name one in CHROMIUM_PATH';
  if (process.env['CONSOLE_TESTS'] === 'required') throw new Error(reason);
  return reason;
}

function chromiumPath(): string | undefined {
  return [process.env['CHROMIUM_PATH'] ?? '', ...CANDIDATES].find((path) => existsSync(path));
}

export async function openBrowser(): Promise<Browser> {
  // Its sandbox does not work for root, as which containers run this.
  return chromium.launch({ executablePath: chromiumPath() ?? '', args: ['--no-sandbox'] });
}

/** The line that says where the service listens comes whatever the level, so it goes nowhere. */
const quiet = pino({ level: 'silent' }, { write: () => {} });

export interface ConsoleService {
  readonly url: string;
  close(): Promise<void>;
}

/** The real service on a port of its own, with the first `covers` of the samples in its index. */
export async function openConsoleService(covers: number, changes: Partial<Config> = {}): Promise<ConsoleService> {
  const dataDir = await mkdtemp(join(tmpdir(), 'coverrank-console-'));
  const config = defaultConfig({ data_dir: dataDir, port: 0, ...changes, api_keys: [] });
  const filling = await startServer(config, quiet);
  await addSamples(filling.url, covers);
  if (changes.api_keys === undefined) return { url: filling.url, close: () => closeAll(filling, dataDir) };
  await filling.close();
  const server = await startServer({ ...config, api_keys: changes.api_keys }, quiet);
  return { url: server.url, close: () => closeAll(server, dataDir) };
}

async function closeAll(server: { close(): Promise<void> }, dataDir: string): Promise<void> {
  await server.close();
  await rm(dataDir, { recursive: true, force: true });
}

const SAMPLES = join(packageRoot, 'index', 'samples');
const BATCH = 40;

async function addSamples(url: string, covers: number): Promise<void> {
  if (covers === 0) return;
  const manifest = await readFile(join(SAMPLES, 'manifest.ndjson'), 'utf8');
  const lines = manifest.trimEnd().split('\n').slice(0, covers);
  for (let start = 0; start < lines.length; start += BATCH) {
    const items = await Promise.all(lines.slice(start, start + BATCH).map(itemOf));
    const response = await fetch(`${url}/index`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ items }),
    });
    const { errors } = (await response.json()) as { errors: boolean };
    if (errors) throw new Error('a sample cover could not be indexed');
  }
}

async function itemOf(line: string) {
  const { id, file, title, attributes } = JSON.parse(line) as Record<string, string>;
  const picture = await readFile(join(SAMPLES, file ?? ''));
  return { id, title, attributes, image_base64: picture.toString('base64') };
}

/** The first of the sample pictures, as a file input takes it. */
export async function samplePicture(name: string) {
  const manifest = await readFile(join(SAMPLES, 'manifest.ndjson'), 'utf8');
  const { file } = JSON.parse(manifest.split('\n', 1)[0] ?? '') as { file: string };
  return { name, mimeType: 'image/webp', buffer: await readFile(join(SAMPLES, file)) };
}
