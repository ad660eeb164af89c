import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { addBenchOptions, benchOptions } from './options.ts';
import { BENCH_FORMAT, type BenchReport } from './report.ts';
import { benchRows } from './rows.ts';
import { runBench } from './run.ts';
import { benchTable } from './table.ts';

/** `npm run bench -- [options]` */
async function main(): Promise<void> {
  const rows = benchRows({ size: 'full', rounds: 1, quick: false, covers: 0, restartCovers: 0, rerankK: 0 });
  const command = addBenchOptions(
    new Command('bench'),
    rows.map(({ name }) => name),
  );
  await command
    .action(async () => {
      const options = benchOptions(command);
      const earlier = options.compare === undefined ? undefined : await readReport(options.compare);
      const report = await runBench(options, say);
      process.stdout.write(benchTable(report, earlier));
      await writeReport(report, options.out);
      if (Object.keys(report.failed).length > 0) process.exitCode = 1;
    })
    .parseAsync();
}

async function readReport(file: string): Promise<BenchReport> {
  const report = JSON.parse(await readFile(file, 'utf8')) as BenchReport;
  if (report.format !== BENCH_FORMAT) throw new Error(`${file} is not a bench report of format ${BENCH_FORMAT}.`);
  return report;
}

async function writeReport(report: BenchReport, out: string | undefined): Promise<void> {
  const stamp = report.startedAt.replaceAll(':', '-').slice(0, 19);
  const file = resolve(out ?? join('loadtest-results', `bench-${stamp}.json`));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
  say(`wrote ${relative('', file)}`);
}

function say(what: string): void {
  process.stderr.write(`${what}\n`);
}

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
