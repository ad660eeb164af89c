import type { Config } from '../config-schema.ts';
import { failure, isFailure } from '../core/errors.ts';
import { createServiceClient, type ServiceClient, type ServiceClientOptions } from './service-client.ts';

/**
 * Runs `work` against the service at `url`, or, where none is named, against one of our own: in this process, on a
 * loopback port of the system's choice, gone when the work is done. So a command does the same thing either way.
 */
export async function withService<T>(
  url: string | undefined,
  config: Config,
  work: (client: ServiceClient) => Promise<T>,
  options: Pick<ServiceClientOptions, 'maxRetries'> = {},
): Promise<T> {
  const server = url === undefined ? await startPrivately(config) : undefined;
  const apiKey = process.env['COVERRANK_API_KEY'];
  const client = createServiceClient({ url: url ?? server?.url ?? '', apiKey, ...options });
  try {
    return await work(client);
  } finally {
    await client.close();
    await server?.close();
  }
}

async function startPrivately(config: Config): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { startServer } = await import('../server.ts');
  try {
    return await startServer({ ...forUsAlone(config), port: 0 }, await warningsOnly());
  } catch (error) {
    if (!isFailure(error, 'data_dir_busy')) throw error;
    throw failure(error.code, `${error.detail} If that is a running service, name it with --url.`, { cause: error });
  }
}

/** Without keys and rates, which are for callers from elsewhere: only this machine can reach it. */
export function forUsAlone(config: Config): Config {
  return { ...config, host: '127.0.0.1', api_keys: [], limits: { ...config.limits, requests_per_minute: 0 } };
}

/** A log of what went wrong, on stderr. */
export async function warningsOnly() {
  const { default: pino } = await import('pino');
  return pino({ level: 'info' }, pino.multistream([{ level: 'warn', stream: process.stderr }]));
}
