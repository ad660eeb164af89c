import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { Command } from 'commander';
import type { Config } from '../config-schema.ts';
import { failure, isFailure } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';
import type { RunningServer } from '../server.ts';
import type { IndexProgress } from './indexing/index-progress.ts';
import { openItemSource } from './indexing/item-source.ts';
import { uploadItems } from './indexing/upload-items.ts';
import { note, print } from './output.ts';
import { type RankAnswer, rankNotes, rankTable } from './rank-table.ts';
import { createServiceClient, type ServiceClient } from './service-client.ts';
import { configOf, withSettings } from './settings.ts';
import { forUsAlone, warningsOnly } from './with-service.ts';

const SAMPLES = join(packageRoot, 'index', 'samples', 'manifest.ndjson');
const QUERIES = ['向日葵', '可爱的熊猫', 'best curry rice', 'cake 蛋糕'];
const TOP_N = 5;
/** Ports tried from the configured one on. */
const PORTS = 20;
const CLOSE_TIMEOUT_MS = 30_000;

/** `coverrank demo`: from nothing to a ranking on screen, and the service left running. */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('Run the service with the sample covers, show the ranking of a few queries and keep it running.')
    .option('--exit', 'end after the queries')
    .action(async ({ exit }: { exit?: true }) => {
      const server = await startOnFreePort(configOf(command).config);
      const client = createServiceClient({ url: server.url });
      try {
        await indexSamples(client);
        for (const query of QUERIES) await showRanking(client, query);
      } catch (error) {
        await server.close();
        throw error;
      } finally {
        await client.close();
      }
      if (exit) {
        await server.close();
        return;
      }
      tellWhereItIs(server.url);
      closeWithGrace({ delay: CLOSE_TIMEOUT_MS, logger: false }, () => server.close());
    });
  return withSettings(command, ['port', 'data_dir', 'model']);
}

async function startOnFreePort(config: Config): Promise<RunningServer> {
  const { startServer } = await import('../server.ts');
  const log = await warningsOnly();
  // Whoever runs this wants to look around.
  const demo = forUsAlone(config);
  for (let port = config.port; port < config.port + PORTS; port++) {
    try {
      return await startServer({ ...demo, port }, log);
    } catch (error) {
      if (!isPortTaken(error)) throw error;
      note(`Port ${port} is taken, trying the next.`);
    }
  }
  throw failure(
    'unavailable',
    `Ports ${config.port} to ${config.port + PORTS - 1} are all taken; choose one with --port.`,
  );
}

function isPortTaken(error: unknown): boolean {
  return isFailure(error, 'unavailable') && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
}

async function indexSamples(client: ServiceClient): Promise<void> {
  const { covers } = (await client.call('GET', '/index')) as { covers: number };
  if (covers > 0) {
    note(`The index holds ${covers} covers.`);
    return;
  }
  note(`Indexing the sample covers of ${SAMPLES} …`);
  const startedAt = performance.now();
  const source = await openItemSource(SAMPLES, { maxImageBytes: 1024 * 1024 });
  const counts = await uploadItems(source, client, unrecorded, { concurrency: 2 });
  if (counts.failed > 0) throw failure('internal', `${counts.failed} of ${counts.items} sample covers failed.`);
  note(`${counts.items} covers in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
}

/** The samples are indexed in seconds: nothing of it need be kept for a next run. */
const unrecorded: IndexProgress = {
  rejectedFile: '',
  resumeFrom: 0,
  rejected: () => 0,
  reject: async () => {},
  save: async () => {},
  finish: async () => {},
};

async function showRanking(client: ServiceClient, query: string): Promise<void> {
  const body = { query, top_n: TOP_N, deadline_ms: 5000, include: ['cover', 'signals', 'timings'] };
  const answer = (await client.call('POST', '/rank', body)) as RankAnswer;
  print(`\n${query}`);
  print(rankTable(answer));
  print(rankNotes(answer).join('\n'));
}

function tellWhereItIs(url: string): void {
  print(`
The service is running; Ctrl-C ends it.

  ${url}/                the console
  ${url}/docs            the API, to try out
  ${url}/openapi.json    the API, for programs
  ${url}/metrics         for Prometheus

  curl -s ${url}/rank -H 'content-type: application/json' -d '{"query": "向日葵", "top_n": 3}'`);
}
