import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { formatJson, reportFile, runProgram, say, writeFiles } from '../program.ts';
import { addGrowthCommand } from './growth/command.ts';
import { addBenchOptions, benchOptions } from './options.ts';
import { BENCH_FORMAT, type BenchReport, type BenchSettings } from './report.ts';
import type { Row } from './row.ts';
import { peerRows } from './rows/peer-row.ts';
import { benchRows } from './rows.ts';
import { runBench } from './run.ts';
import { benchTable } from './table.ts';

/** `npm run bench -- [options]`, `npm run bench -- peer [options]` and `npm run bench -- growth [options]`. */
async function main(): Promise<void> {
  const program = new Command('bench');
  const goals = program.command('goals', { isDefault: true });
  addRun(goals, 'Measures every goal against its own limit, in turn and in several rounds.', (settings) =>
    benchRows(settings),
  );
  const peer = program
    .command('peer')
    .option('--python <file>', 'an interpreter that has loadtest/peer/requirements.txt');
  addRun(peer, 'Measures the service against FastAPI, PyTorch and hnswlib on the same weights and covers.', () =>
    peerRows(peer.opts<{ python?: string }>().python),
  );
  addGrowthCommand(program.command('growth'));
  await program.parseAsync();
}

function addRun(
  command: Command,
  description: string,
  rowsOf: (settings: Pick<BenchSettings, 'rerankK'>) => readonly Row[],
): void {
  const names = rowsOf({ rerankK: 0 }).map(({ name }) => name);
  addBenchOptions(command.description(description), names).action(async () => {
    const options = benchOptions(command);
    const earlier = options.compare === undefined ? undefined : await readReport(options.compare);
    const report = await runBench(rowsOf(options.settings), options, say);
    process.stdout.write(benchTable(report, earlier));
    await writeReport(report, options.out);
    if (Object.keys(report.failed).length > 0) process.exitCode = 1;
  });
}

async function readReport(file: string): Promise<BenchReport> {
  const report = JSON.parse(await readFile(file, 'utf8')) as BenchReport;
  if (report.format !== BENCH_FORMAT) throw new Error(`${file} is not a bench report of format ${BENCH_FORMAT}.`);
  return report;
}

async function writeReport(report: BenchReport, out: string | undefined): Promise<void> {
  await writeFiles({ [reportFile(out, 'bench-', report.startedAt)]: formatJson(report) });
}

await runProgram(main);
