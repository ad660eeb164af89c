import assert from 'node:assert/strict';
import test from 'node:test';
import { COMMAND_STEPS, SERVICE_STEPS } from './regression/crash/kill-plan.ts';
import { runCrashes } from './regression/crash/run-crashes.ts';
import { meanRecall, tableOf } from './regression/crash/tally.ts';

test('30 kills at random and at named steps: nothing acknowledged is lost, nothing deleted comes back', async (t) => {
  const tally = await runCrashes({ cycles: 30, seed: 7, lanes: 2, longestLifeMs: 500 });
  t.diagnostic(`\n${tableOf(tally)}`);
  assert.deepEqual([tally.faults, tally.lost, tally.back, tally.torn], [[], 0, 0, 0]);
  assert.equal(tally.cycles, 30);
  assert.ok(tally.covers > 15 * 1_800, 'what each life left was compared');
  assert.deepEqual([...tally.kills.keys()].sort(), ['at random', ...SERVICE_STEPS, ...COMMAND_STEPS].sort());
  assert.ok(meanRecall(tally) >= 0.95, `recall ${meanRecall(tally)}`);
});
