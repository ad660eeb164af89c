/**
 * Preloaded into the process under test, and so into each of its threads: ends the process with SIGKILL when it reaches
 * the step that KILL_AT_STEP names, such as `graph renamed:2` for the second time in one thread.
 */
import { subscribe } from 'node:diagnostics_channel';
import { DURABLE_STEPS } from '../../../src/store/disk/durable-steps.ts';

const [step, times] = (process.env['KILL_AT_STEP'] ?? '').split(':');
let left = Number(times);

subscribe(DURABLE_STEPS, (message) => {
  if ((message as { step: string }).step === step && --left === 0) process.kill(process.pid, 'SIGKILL');
});
