import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/** Changes the first byte of every place that holds `bytes`, in a file that may be open and mapped. */
export function damageInPlace(path: string, bytes: Buffer): void {
  const held = readFileSync(path);
  const changed = Buffer.of((bytes[0] as number) ^ 0xff);
  const file = openSync(path, 'r+');
  for (let at = held.indexOf(bytes); at !== -1; at = held.indexOf(bytes, at + 1)) writeSync(file, changed, 0, 1, at);
  closeSync(file);
}
