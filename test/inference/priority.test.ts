import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const module = new URL('../../src/inference/priority.js', import.meta.url).href;
const isLinux = process.platform === 'linux';

/** What `giveWay(step)` makes of a process that was started with this niceness. */
async function niceness(started: number, step: number): Promise<number> {
  const script = `import os from 'node:os'; import { giveWay } from '${module}'; giveWay(${step}); console.log(os.getPriority());`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stdout } = await run('nice', ['-n', String(started), ...node]);
  return Number(stdout);
}

test('a thread gives way to others of its process, whatever the process itself gives way to', {
  skip: !isLinux,
}, async () => {
  const own = Number((await run('nice')).stdout);
  assert.equal(await niceness(0, 5), Math.min(19, own + 5));
  assert.equal(await niceness(10, 5), Math.min(19, own + 15));
  assert.equal(await niceness(12, 15), 19);
});
