import os from 'node:os';

const LEAST_PRIORITY = os.constants.priority.PRIORITY_LOW;

/**
 * Lets the operating system prefer other threads to this one: adds so much to its `nice` value. On Linux priorities
 * belong to threads, and those that ONNX Runtime starts below inherit this one's; elsewhere they belong to processes, and
 * nothing is done.
 */
export function giveWay(niceness: number): void {
  if (process.platform !== 'linux' || niceness === 0) return;
  try {
    os.setPriority(Math.min(os.getPriority() + niceness, LEAST_PRIORITY));
  } catch {
    // Where the system does not let it, it works all the same.
  }
}
