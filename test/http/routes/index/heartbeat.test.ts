import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withHeartbeat } from '../../../../src/http/routes/index/heartbeat.ts';

test('lines pass as they are; one that takes long has white space in front', async () => {
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  async function* lines() {
    yield 'a\n';
    await arrived;
    yield 'b\n';
  }
  let text = '';
  for await (const part of withHeartbeat(lines(), { idleMs: 3, isWorking: () => true })) {
    text += part;
    if (text === 'a\n  ') arrive();
  }
  assert.match(text, /^a\n {2,}b\n$/);
});

test('while nothing is worked on nothing is said', async () => {
  let looks = 0;
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const isWorking = () => {
    looks++;
    if (looks === 3) arrive();
    return false;
  };
  async function* lines() {
    await arrived;
    yield 'a\n';
  }
  const parts: string[] = [];
  for await (const part of withHeartbeat(lines(), { idleMs: 3, isWorking })) parts.push(part);
  assert.deepEqual(parts, ['a\n']);
});

test('what ends the lines ends them here, and whoever leaves ends the lines', async () => {
  let ended = 0;
  async function* lines() {
    try {
      yield 'a\n';
      throw new Error('broken');
    } finally {
      ended++;
    }
  }
  const options = { idleMs: 0, isWorking: () => true };
  await assert.rejects(async () => {
    for await (const part of withHeartbeat(lines(), options)) assert.equal(part, 'a\n');
  }, /broken/);
  for await (const part of withHeartbeat(lines(), options)) {
    assert.equal(part, 'a\n');
    break;
  }
  assert.equal(ended, 2);
});
