/**
 * `npm run test:crash -- --cycles N --seed S --lanes L`: kills the service N times, at random moments and at named steps,
 * and holds what it has after each restart against what it had acknowledged. Exits with 1 when anything was lost.
 */
import { parseArgs } from 'node:util';
import { runCrashes } from './run-crashes.ts';
import { meanRecall, tableOf } from './tally.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    lanes: { type: 'string', default: '1' },
  },
});
const tally = await runCrashes({
  cycles: Number(values.cycles),
  seed: Number(values.seed),
  lanes: Number(values.lanes),
  longestLifeMs: 1_500,
  onProgress: ({ cycles, lost, back, torn, faults }) =>
    process.stderr.write(`${cycles} cycles, ${lost + back + torn} records wrong, ${faults.length} faults\n`),
});
process.stdout.write(`${tableOf(tally)}\n`);
for (const fault of tally.faults.slice(0, 20)) process.stdout.write(`${fault}\n`);
if (tally.faults.length + tally.lost + tally.back + tally.torn > 0 || meanRecall(tally) < 0.95) process.exitCode = 1;
