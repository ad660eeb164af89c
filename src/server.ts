import type { Server } from 'node:http';
import { BlockList, isIP } from 'node:net';
import closeWithGrace from 'close-with-grace';
import pino, { type Logger } from 'pino';
import type { Config } from './config-schema.ts';
import { failure } from './core/errors.ts';
import { createApp } from './http/app.ts';
import { createLifecycle } from './http/lifecycle.ts';
import type { App } from './http/route.ts';
import { createServices } from './services.ts';

/** For the command line, which knows the HTTP room only through the server. */
export { exportOpenApi } from './http/export-openapi.ts';

export interface RunningServer {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Refuses new work, lets what is running finish, then closes everything. */
  close(): Promise<void>;
}

/** Milliseconds that each phase may take. Opening may have to build the graph of a large index anew. */
const PHASE_TIMEOUTS = { build: 10_000, listen: 10_000, open: 1_800_000, close: 10_000, flush: 60_000 } as const;

/**
 * Starts the service in phases: build the application, listen (so that probes are answered), open model and index, be
 * ready. Rejects with what stood in the way, with nothing left open.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  refuseOpenDoor(config);
  const lifecycle = createLifecycle();
  const app = await phase('build', () => createApp(lifecycle, config, log));
  try {
    const running = countRunning(app.server);
    const url = await phase('listen', () => listen(app, config));
    const services = await phase('open', () => createServices(config, log));
    lifecycle.ready(services);
    // The one line that scripts wait for; it comes whatever the level of the log.
    log.child({}, { level: 'info' }).info({ event: 'listening', url, model: services.queryEncoder.model }, 'ready');

    return {
      url,
      async close() {
        lifecycle.drain();
        await finish(app, running, config.shutdown_timeout_ms, log);
        await phase('close', () => app.close());
        await phase('flush', () => services.close());
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/**
 * The process that `coverrank serve` is: SIGTERM and SIGINT end it in order with exit code 0, a second one at once with
 * 1, as does an error that nobody caught. Resolves when it is ready.
 */
export async function runServer(config: Config): Promise<RunningServer> {
  const log = pino({ level: config.log_level });
  let server: RunningServer | undefined;
  const { shutdown_timeout_ms } = config;
  const delay = shutdown_timeout_ms + PHASE_TIMEOUTS.close + PHASE_TIMEOUTS.flush;
  const grace = closeWithGrace({ delay, logger: log }, async ({ signal, err }) => {
    if (err !== undefined) log.fatal({ event: 'uncaught', err }, 'an error that nobody caught ends the process');
    log.info({ event: 'stopping', signal }, 'shutting down');
    await server?.close();
    log.info({ event: 'stopped' }, 'shut down');
  });
  try {
    server = await startServer(config, log);
    return server;
  } catch (error) {
    grace.uninstall();
    throw error;
  }
}

/** Without keys the service trusts whoever reaches it, so it stays where only this machine can. */
function refuseOpenDoor({ host, api_keys, insecure }: Config): void {
  if (api_keys.length > 0 || insecure || isLoopback(host)) return;
  throw failure(
    'invalid_config',
    `Listening on ${host} without keys would let everybody in: configure api_keys, or say --insecure.`,
  );
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  const version = isIP(host);
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8, 'ipv4');
  loopback.addAddress('::1', 'ipv6');
  return version !== 0 && loopback.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

async function listen(app: App, { host, port }: Config): Promise<string> {
  try {
    return await app.listen({ host, port, listenTextResolver: (address) => `answering probes at ${address}` });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw failure('unavailable', `Cannot listen on ${host}, port ${port} (${code ?? 'unknown'}).`, { cause });
  }
}

interface RunningRequests {
  readonly count: number;
  /** Settles when none is running. */
  idle(): Promise<void>;
}

function countRunning(server: Server): RunningRequests {
  let count = 0;
  let announceIdle = (): void => {};
  server.prependListener('request', (_request, response) => {
    count++;
    response.once('close', () => {
      count--;
      if (count === 0) announceIdle();
    });
  });
  return {
    get count() {
      return count;
    },
    idle: () =>
      new Promise((resolve) => {
        announceIdle = resolve;
        if (count === 0) resolve();
      }),
  };
}

/** Lets running requests end. The door stays open meanwhile, so that probes and newcomers hear that we are leaving. */
async function finish(app: App, running: RunningRequests, timeoutMs: number, log: Logger): Promise<void> {
  const timeout = new AbortController();
  const expired = new Promise<'expired'>((resolve) => {
    const timer = setTimeout(() => resolve('expired'), timeoutMs);
    timeout.signal.addEventListener('abort', () => clearTimeout(timer));
  });
  const outcome = await Promise.race([running.idle(), expired]);
  timeout.abort();
  if (outcome !== 'expired') return;
  log.warn({ event: 'cut_off', requests: running.count }, 'requests that did not end in time are cut off');
  app.server.closeAllConnections();
}

async function phase<T>(name: keyof typeof PHASE_TIMEOUTS, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = PHASE_TIMEOUTS[name];
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(failure('unavailable', `The phase "${name}" took more than ${limit} ms.`)), limit);
  });
  try {
    return await Promise.race([work(), expired]);
  } finally {
    clearTimeout(timer);
  }
}
