import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { packageRoot } from '../../src/core/package-root.ts';
import { defaultRankConcurrency } from '../../src/http/admission.ts';
import { type ClientOptions, createServiceClient } from '../client.ts';
import { runClosedLoop } from '../closed-loop.ts';
import { indexCovers, readSampleCovers } from '../covers.ts';
import { runIndexLoad } from '../index-load.ts';
import { describeCommit, describeMachine } from '../machine.ts';
import { createRequestSource, parseMix } from '../mix.ts';
import { formatJson, reportFile, runProgram, say, writeFiles } from '../program.ts';
import { createQuerySource, parseQueries } from '../queries.ts';
import { createRandom } from '../random.ts';
import { createRankRecorder } from '../recorder.ts';
import { type StartedService, startService } from '../service.ts';
import { type Level, runLevel } from './level.ts';
import { overloadTable, verdicts } from './table.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
/** More than the service lets in or refuses at once, so that no request waits on this side. */
const CONNECTIONS = 4096;
/** What the service works on at once by default: at this many, its capacity is used and nothing waits at its gate. */
const SATURATING = defaultRankConcurrency();
/** Long enough to know the rate at saturation, however long the levels are. */
const MAX_SATURATION_SECONDS = 60;

interface Flags {
  readonly url?: string;
  readonly key?: string;
  readonly levels: string;
  readonly seconds: number;
  readonly pause: number;
  readonly covers: number;
  readonly mix: string;
  readonly rerankK: number;
  readonly deadlineMs: number;
  readonly indexRate: number;
  readonly seed: number;
  readonly out?: string;
}

/** `npm run loadtest:overload`: finds saturation, then loads the service below, at and above it. */
async function main(): Promise<void> {
  const flags = parseFlags();
  const covers = (await readSampleCovers(SAMPLES)).slice(0, flags.covers);
  const service: StartedService =
    flags.url === undefined ? await startService(CLI) : { url: flags.url, stop: async () => {} };
  const headers: Record<string, string> = flags.key === undefined ? {} : { authorization: `Bearer ${flags.key}` };
  const clientOptions: ClientOptions = { url: service.url, headers, connections: CONNECTIONS, timeoutMs: 60_000 };
  const client = createServiceClient(clientOptions);
  const watcher = createServiceClient({ ...clientOptions, connections: 2 });
  try {
    if (flags.url === undefined) await indexCovers(client, covers);
    const random = createRandom(flags.seed);
    const queries = createQuerySource(parseQueries(await readFile(join(SAMPLES, 'qrels.tsv'), 'utf8')), random);
    const next = createRequestSource(parseMix(flags.mix), queries, { topN: 10, recallK: 100, ...flags }, random);

    say(`looking for saturation with ${SATURATING} connections`);
    const saturationPerSecond = await findSaturation(
      next,
      service.url,
      headers,
      Math.min(MAX_SATURATION_SECONDS, flags.seconds),
    );
    say(`${saturationPerSecond.toFixed(1)} rankings a second`);

    const levels: Level[] = [];
    for (const load of flags.levels.split(',').map(Number)) {
      await new Promise((resolved) => setTimeout(resolved, 1000 * flags.pause));
      say(`${load} x for ${flags.seconds} s`);
      const level = runLevel({
        load,
        saturationPerSecond,
        seconds: flags.seconds,
        seed: flags.seed,
        next,
        client,
        watcher,
      });
      const indexing = { ratePerSecond: flags.indexRate, seconds: flags.seconds, random: createRandom(flags.seed + 1) };
      if (flags.indexRate > 0) await runIndexLoad(watcher, covers, indexing);
      levels.push(await level);
    }
    const met = verdicts(levels);
    process.stdout.write(overloadTable(levels));
    for (const { goal, met: isMet, figure } of met)
      process.stdout.write(`${isMet ? 'met    ' : 'NOT MET'}  ${goal}: ${figure}\n`);
    await writeReport(flags, { saturationPerSecond, levels, verdicts: met });
  } finally {
    await client.close();
    await watcher.close();
    await service.stop();
  }
}

/** Rankings a second, all covers reranked that were asked for, with as many requests as are worked on at once. */
async function findSaturation(
  next: ReturnType<typeof createRequestSource>,
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
): Promise<number> {
  const closed = { url, headers, connections: SATURATING, seconds, timeoutMs: 60_000 };
  await runClosedLoop(next, createRankRecorder(), { ...closed, seconds: Math.min(5, seconds) });
  const recorder = createRankRecorder();
  await runClosedLoop(next, recorder, closed);
  return recorder.finish(seconds).rank.throughputPerSecond;
}

function parseFlags(): Flags {
  return new Command('overload')
    .description('Loads /rank below, at and above saturation; a table of what it holds.')
    .option('--url <url>', 'a running service; without it one is started on the sample covers')
    .option('--key <key>', 'API key for it', process.env['COVERRANK_API_KEY'])
    .option(
      '--levels <list>',
      'multiples of the rate at saturation; the first is what others are compared with',
      '0.7,1,2,5',
    )
    .option('--seconds <n>', 'of each level; 600 to see what memory does', Number, 30)
    .option('--pause <n>', 'seconds between two levels', Number, 3)
    .option('--covers <n>', 'sample covers that the started service gets', Number, 800)
    .option('--mix <weights>', 'kinds of /rank request and their weights', 'rerank-repeated=1,rerank-fresh=1')
    .option('--rerank-k <n>', 'of each request', Number, 50)
    .option('--deadline-ms <n>', 'of each request', Number, 500)
    .option('--index-rate <n>', 'covers indexed a second meanwhile', Number, 0)
    .option('--seed <n>', 'repeats the same requests', Number, 1)
    .option('--out <file>', 'the JSON report')
    .parse()
    .opts<Flags>();
}

async function writeReport(flags: Flags, results: object): Promise<void> {
  const startedAt = new Date().toISOString();
  const { key: _key, ...settings } = flags;
  const report = {
    startedAt,
    machine: describeMachine(),
    git: await describeCommit(packageRoot),
    settings,
    ...results,
  };
  await writeFiles({ [reportFile(flags.out, 'overload-', startedAt)]: formatJson(report) });
}

await runProgram(main);
