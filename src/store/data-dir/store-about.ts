import { crc32 } from 'node:zlib';
import { failure } from '../../core/errors.ts';

/** Version of the data folder's layout and records. */
export const DATA_FORMAT = 2;

/** What a store says of itself. */
export interface StoreAbout {
  readonly format: number;
  /** Random; tells this store from every other, so that no graph is taken for the graph of another store. */
  readonly storeId: string;
  readonly bundle: { readonly name: string; readonly hash: string };
  readonly embeddingDim: number;
  readonly tokens: { readonly count: number; readonly width: number } | null;
}

/** JSON with a checksum inside: of whatever format a store is, any version can read what it is. */
export function encodeAbout(about: StoreAbout): Buffer {
  return Buffer.from(JSON.stringify({ ...about, checksum: crc32(JSON.stringify(about)) }));
}

/** Fails with `corrupt_data` when the bytes are not as they were written. */
export function decodeAbout(bytes: Buffer): StoreAbout {
  const { checksum, ...about } = parse(bytes);
  if (about.format === DATA_FORMAT && checksum !== crc32(JSON.stringify(about))) throw damaged();
  return about;
}

function parse(bytes: Buffer): StoreAbout & { readonly checksum?: number } {
  try {
    return JSON.parse(bytes.toString('utf8')) as StoreAbout & { readonly checksum?: number };
  } catch (cause) {
    throw damaged(cause);
  }
}

function damaged(cause?: unknown): Error {
  return failure('corrupt_data', 'What the store says of itself does not match its checksum.', { cause });
}
