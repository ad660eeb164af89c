import os from 'node:os';

const BACKGROUND_NICENESS = 10;

/**
 * Lets the operating system give this thread the cores that ranking leaves. On Linux priorities belong to threads, and
 * those that ONNX Runtime starts below inherit this one's; elsewhere they belong to processes, and nothing is done.
 */
export function workInBackground(): void {
  if (process.platform === 'linux') os.setPriority(BACKGROUND_NICENESS);
}
