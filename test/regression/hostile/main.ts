import Table from 'cli-table3';
import { Command } from 'commander';
import { runHostile } from './run.ts';

/** `npm run test:hostile -- --inputs 10000 --seed 1`; ends with 1 when anything happened that should not. */
const flags = new Command('hostile')
  .option('--inputs <n>', 'how many', Number, 10_000)
  .option('--seed <n>', 'the same seed gives the same inputs', Number, 20_261_121)
  .option('--first <n>', 'number of the first: to make one of them again', Number, 0)
  .parse()
  .opts<{ inputs: number; seed: number; first: number }>();

const onProgress = process.stderr.isTTY ? (done: number) => process.stderr.write(`\r${done}`) : undefined;
const { kinds, faults } = await runHostile({ ...flags, ...(onProgress === undefined ? {} : { onProgress }) });

const statuses = [...new Set(Object.values(kinds).flatMap(Object.keys))].sort();
const table = new Table({ head: ['inputs', 'count', ...statuses], style: { head: [], border: [] } });
for (const [kind, counts] of Object.entries(kinds)) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  table.push([kind, total, ...statuses.map((status) => counts[status] ?? 0)]);
}
process.stdout.write(`${table.toString()}\n${faults.length} faults\n`);
for (const fault of faults) process.stdout.write(`  ${fault}\n`);
if (faults.length > 0) process.exitCode = 1;
