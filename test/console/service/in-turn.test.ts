import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createTurns } from '../../../console/src/service/in-turn.ts';

test('one thing is done after the other, in order, whatever fails', async () => {
  const inTurn = createTurns();
  const told: string[] = [];
  const work = (name: string) => async () => {
    told.push(`${name} begins`);
    await setImmediate();
    told.push(`${name} ends`);
    if (name === 'b') throw new Error('no');
    return name;
  };
  const done = await Promise.allSettled(['a', 'b', 'c'].map((name) => inTurn(work(name))));
  assert.deepEqual(
    done.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(told, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
