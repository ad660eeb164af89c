import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readThrough } from '../read-through.ts';

export interface Digest {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

export interface Checksum {
  readonly bytes: number;
  readonly crc32: number;
}

export async function digest(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  const bytes = await readThrough(path, (chunk) => hash.update(chunk));
  return { bytes, sha256: hash.digest('hex') };
}

export async function checksumOf(path: string): Promise<Checksum> {
  let sum = 0;
  const bytes = await readThrough(path, (chunk) => {
    sum = crc32(chunk, sum);
  });
  return { bytes, crc32: sum };
}

/** Both, from reading the file once. */
export async function sumsOf(path: string): Promise<Digest & Checksum> {
  const hash = createHash('sha256');
  let sum = 0;
  const bytes = await readThrough(path, (chunk) => {
    hash.update(chunk);
    sum = crc32(chunk, sum);
  });
  return { bytes, sha256: hash.digest('hex'), crc32: sum };
}
