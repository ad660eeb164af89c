import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { defaultConfig } from '../../../src/config.ts';
import { createServices, type Services } from '../../../src/services.ts';

/** The service's parts in this process, on an empty data folder of their own. */
export interface OpenedModels {
  readonly services: Services;
  close(): Promise<void>;
}

export async function openModels(bundle: string): Promise<OpenedModels> {
  const dataDir = await mkdtemp(join(tmpdir(), 'coverrank-bench-'));
  const services = await createServices(
    defaultConfig({ model: bundle, data_dir: dataDir }),
    pino({ level: 'silent' }),
  ).catch(async (error: Error) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  return {
    services,
    async close() {
      await services.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
