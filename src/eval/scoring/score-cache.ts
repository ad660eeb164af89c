import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Signals } from '../../core/types.ts';
import type { PictureFeatures } from './evaluated-model.ts';

/**
 * What one bundle made of pictures and of pairs, by the hash of the picture's bytes: it holds across runs, judgements
 * and names of covers. Image tokens are not kept (they are a thousand times larger than the scores made of them).
 */
export interface ScoreCache {
  picture(imageHash: string): PictureFeatures | undefined;
  pair(text: string, imageHash: string): Signals | undefined;
  keepPicture(imageHash: string, features: PictureFeatures): void;
  keepPair(text: string, imageHash: string, signals: Signals): void;
  /** Writes what was kept since the last time to disk. */
  flush(): Promise<void>;
}

interface StoredPicture {
  readonly image: string;
  /** float32, little-endian, base64. */
  readonly embedding: string;
  readonly presence: number | null;
}

interface StoredPair {
  readonly pair: string;
  readonly signals: Signals;
}

/** Opens the cache of one bundle below `folder`; without a folder what is kept ends with the process. */
export async function openScoreCache(folder: string | undefined, bundleHash: string): Promise<ScoreCache> {
  const home = folder === undefined ? undefined : join(folder, bundleHash.slice(0, 16));
  const pictures = new Map<string, PictureFeatures>();
  const pairs = new Map<string, Signals>();
  const unwritten = { pictures: [] as string[], pairs: [] as string[] };
  if (home !== undefined) {
    await mkdir(home, { recursive: true });
    for await (const stored of readLines<StoredPicture>(join(home, 'pictures.ndjson'))) {
      pictures.set(stored.image, {
        embedding: decodeFloats(stored.embedding),
        ocrPresence: stored.presence ?? undefined,
      });
    }
    for await (const stored of readLines<StoredPair>(join(home, 'pairs.ndjson')))
      pairs.set(stored.pair, stored.signals);
  }
  return {
    picture: (imageHash) => pictures.get(imageHash),
    pair: (text, imageHash) => pairs.get(pairKey(text, imageHash)),
    keepPicture(image, { embedding, ocrPresence }) {
      pictures.set(image, { embedding, ocrPresence });
      const stored: StoredPicture = { image, embedding: encodeFloats(embedding), presence: ocrPresence ?? null };
      unwritten.pictures.push(JSON.stringify(stored));
    },
    keepPair(text, imageHash, signals) {
      const pair = pairKey(text, imageHash);
      pairs.set(pair, signals);
      unwritten.pairs.push(JSON.stringify({ pair, signals } satisfies StoredPair));
    },
    async flush() {
      if (home === undefined) return;
      await append(join(home, 'pictures.ndjson'), unwritten.pictures.splice(0));
      await append(join(home, 'pairs.ndjson'), unwritten.pairs.splice(0));
    },
  };
}

export function hashPicture(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function pairKey(text: string, imageHash: string): string {
  return createHash('sha256').update(imageHash).update('\0').update(text).digest('base64url');
}

/** Starts on a line of its own even where a killed run left half a line behind. */
async function append(file: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await appendFile(file, `\n${lines.join('\n')}\n`);
}

/** Lines that cannot be read, as a killed run may leave one, are made again when they are needed. */
async function* readLines<T>(file: string): AsyncGenerator<T> {
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      yield JSON.parse(line) as T;
    } catch {}
  }
}

function encodeFloats(floats: Float32Array): string {
  return Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength).toString('base64');
}

function decodeFloats(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}
