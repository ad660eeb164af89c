import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { InjectOptions } from 'fastify';
import pino from 'pino';
import { defaultConfig } from '../../src/config.ts';
import type { Config } from '../../src/config-schema.ts';
import type { BundleManifest } from '../../src/core/bundle-format.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { createApp } from '../../src/http/app.ts';
import type { BrownOut } from '../../src/http/brown-out.ts';
import { createLifecycle, type Lifecycle } from '../../src/http/lifecycle.ts';
import type { App } from '../../src/http/route.ts';
import { readManifest } from '../../src/inference/bundle.ts';
import { createServices, type Services } from '../../src/services.ts';
import { createContract } from './contract.ts';

export interface TestService {
  readonly app: App;
  readonly lifecycle: Lifecycle;
  readonly services: Services;
  /** What the bundle says of itself. */
  readonly manifest: BundleManifest;
  /** Injects a request and holds the answer against the OpenAPI document. */
  call(request: InjectOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
  readonly text: string;
  /** The parsed body; tests know its shape from the document it was checked against. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape was checked at run time
  readonly body: any;
}

/** The real service: the default model, an index of its own in a temporary folder, and the application in front. */
export async function openService(changes: Partial<Config> = {}, brownOut?: BrownOut): Promise<TestService> {
  const dataDir = await mkdtemp(join(tmpdir(), 'coverrank-http-'));
  const config = defaultConfig({ data_dir: dataDir, ...changes });
  const log = pino({ level: 'silent' });
  const services = await createServices(config, log);
  const lifecycle = createLifecycle();
  const app = await createApp(lifecycle, config, log, brownOut);
  lifecycle.ready(services);
  const contract = createContract(app.swagger());

  return {
    app,
    lifecycle,
    services,
    manifest: readManifest(config.model),
    async call(request) {
      const response = await app.inject(request);
      const answer = {
        status: response.statusCode,
        headers: response.headers,
        text: response.body,
        body: /json/.test(String(response.headers['content-type'])) ? parseBody(response.body) : undefined,
      };
      contract.check(String(request.method ?? 'GET'), String(request.url), answer);
      return answer;
    },
    async close() {
      await app.close();
      await services.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Sample covers as items of /index, the first `count` of them. */
export async function sampleItems(count: number): Promise<{ id: string; image_base64: string; title: string }[]> {
  const folder = join(packageRoot, 'index/samples');
  const files = (await readdir(folder)).filter((file) => /^cover-\d+\.webp$/.test(file)).sort();
  assert.ok(files.length >= count);
  return Promise.all(
    files.slice(0, count).map(async (file, number) => ({
      id: `cover/${number}`,
      image_base64: (await readFile(join(folder, file))).toString('base64'),
      title: `Cover ${number}`,
    })),
  );
}

/** Looks again until it is so; gives up after 10 s. Lets sockets have their turn between looks. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < 1000; look++) {
    if (await isSo()) return;
    await setTimeout(10);
  }
  assert.fail('it did not come to be so');
}

/** JSON, or an array of the lines where it is NDJSON. */
function parseBody(body: string): unknown {
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
}
