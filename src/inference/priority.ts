import os from 'node:os';

/**
 * Lets the operating system prefer other threads to this one, by its `nice` value. On Linux priorities belong to threads,
 * and those that ONNX Runtime starts below inherit this one's; elsewhere they belong to processes, and nothing is done.
 */
export function giveWay(niceness: number): void {
  if (process.platform === 'linux' && niceness > 0) os.setPriority(niceness);
}
