import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** Changes the first byte of every place that holds `bytes`, in a file that may be open and mapped. */
export function damageInPlace(path: string, bytes: Buffer): void {
  const held = readFileSync(path);
  const changed = Buffer.of((bytes[0] as number) ^ 0xff);
  const file = openSync(path, 'r+');
  for (let at = held.indexOf(bytes); at !== -1; at = held.indexOf(bytes, at + 1)) writeSync(file, changed, 0, 1, at);
  closeSync(file);
}

/** Changes the record that says that the content `label` is the cover's. */
export function damageOwner(store: string, id: string, label: number): void {
  const owner = Buffer.from(id);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(owner, label));
  damageInPlace(store, Buffer.concat([owner, checksum]));
}
