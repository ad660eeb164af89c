import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../src/core/package-root.ts';
import { createServiceClient } from './client.ts';
import { type CoverItem, indexCovers, readSampleCovers } from './covers.ts';
import { renderPage } from './html/page.ts';
import { type LoadTestOptions, parseOptions } from './options.ts';
import { formatJson, reportFile, runProgram, say, writeFiles } from './program.ts';
import { parseQueries } from './queries.ts';
import { REPORT_FORMAT, type Report } from './report.ts';
import { runLoadTest } from './run.ts';
import { type StartedService, startService } from './service.ts';
import { summarise } from './summary.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
/** Compiled beside this file. */
const CLI = fileURLToPath(new URL('../src/cli.js', import.meta.url));

/** `npm run loadtest -- [options]` */
async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), process.env);
  const earlier = options.compare === undefined ? undefined : await readReport(options.compare);
  const covers = (await readSampleCovers(SAMPLES)).slice(0, options.covers);
  const service =
    options.url === undefined ? await startWithSamples(options, covers) : { url: options.url, stop: async () => {} };
  try {
    const report = await runLoadTest({
      url: service.url,
      selfStarted: options.url === undefined,
      key: options.key,
      timeoutMs: options.timeoutMs,
      load: options.load,
      queries: parseQueries(await readFile(join(SAMPLES, 'qrels.tsv'), 'utf8')),
      covers,
      folder: packageRoot,
      onPhase: say,
    });
    process.stdout.write(summarise(report, earlier));
    await writeReport(report, earlier, options.out);
  } finally {
    await service.stop();
  }
}

async function startWithSamples(options: LoadTestOptions, covers: readonly CoverItem[]): Promise<StartedService> {
  say('starting the service');
  const service = await startService(CLI);
  const headers: Record<string, string> = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
  const client = createServiceClient({ url: service.url, headers, connections: 1, timeoutMs: 60_000 });
  try {
    say(`indexing ${covers.length} sample covers`);
    await indexCovers(client, covers);
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  } finally {
    await client.close();
  }
}

async function readReport(file: string): Promise<Report> {
  const report = JSON.parse(await readFile(file, 'utf8')) as Report;
  if (report.format !== REPORT_FORMAT) throw new Error(`${file} is not a load test report of format ${REPORT_FORMAT}.`);
  return report;
}

async function writeReport(report: Report, earlier: Report | undefined, out: string | undefined): Promise<void> {
  const json = reportFile(out, '', report.startedAt);
  const page = `${json.replace(/\.json$/, '')}.html`;
  await writeFiles({ [json]: formatJson(report), [page]: renderPage(report, earlier) });
}

await runProgram(main);
