import assert from 'node:assert/strict';
import test from 'node:test';
import { runCrashes } from './regression/crash/run-crashes.ts';
import { meanRecall, tableOf } from './regression/crash/tally.ts';

test('30 kills at random and at named steps: nothing acknowledged is lost, nothing deleted comes back', async (t) => {
  const tally = await runCrashes({ cycles: 30, seed: 7, lanes: 2, longestLifeMs: 500 });
  t.diagnostic(`\n${tableOf(tally)}`);
  assert.deepEqual([tally.faults, tally.lost, tally.back, tally.torn], [[], 0, 0, 0]);
  assert.equal(tally.cycles, 30);
  assert.ok(tally.covers > 15 * 1_800, 'what each life left was compared');
  // How many steps are reached in half a second each is the machine's affair; the long run reaches all.
  assert.ok(tally.kills.size > 3, 'the kills came at several steps');
  assert.ok(meanRecall(tally) >= 0.95, `recall ${meanRecall(tally)}`);
});
