import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHostile } from '../regression/hostile/run.ts';

test('a few hundred hostile inputs do no harm; npm run test:hostile sends ten thousand', async () => {
  const { kinds, faults } = await runHostile({ inputs: 400, seed: 1 });
  assert.deepEqual(faults, []);
  assert.deepEqual(Object.keys(kinds).sort(), ['bodies', 'filters', 'headers', 'ids', 'pictures']);
});
