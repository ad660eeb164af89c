import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { untilAborted } from '../../src/core/abort.ts';
import { failure } from '../../src/core/errors.ts';
import type {
  CoverEncoder,
  CoverIndex,
  CoverUpsert,
  CoverWrite,
  DecodedImage,
  WriteResult,
} from '../../src/core/ports.ts';
import type { CoverRecord, ImageTokens, Thumbnail } from '../../src/core/types.ts';

/** The part of a CoverIndex that indexing uses, in memory, with a write that takes a turn of the event loop. */
export class MemoryIndex implements Pick<CoverIndex, 'get' | 'tokens' | 'thumbnail' | 'write'> {
  readonly covers = new Map<string, CoverUpsert>();
  readonly searchable = new Set<string>();
  /** One entry per transaction. */
  readonly batches: (readonly CoverWrite[])[] = [];
  fail: Error | undefined;
  /** A cover whose record cannot be read, over which nothing can be written either. */
  damaged: string | undefined;
  graphDelayMs = 0;
  graphFailure: Error | undefined;
  /** Writes become durable once this settles. */
  disk: Promise<unknown> = Promise.resolve();

  get(id: string): CoverRecord | undefined {
    if (id === this.damaged) throw failure('corrupt_data', 'A record of covers does not match its checksum.');
    const cover = this.covers.get(id);
    if (cover === undefined) return undefined;
    const { imageUrl, title, attributes, content } = cover;
    const tokens = {
      hasTokens: content?.features.tokens !== undefined,
      hasThumbnail: content?.thumbnail !== undefined,
    };
    const hash = content?.imageHash;
    return { id, sequence: 1, imageUrl, title, attributes, imageHash: hash, ocrPresence: undefined, ...tokens };
  }

  tokens(ids: readonly string[]): readonly (ImageTokens | undefined)[] {
    return ids.map((id) => this.covers.get(id)?.content?.features.tokens);
  }

  thumbnail(id: string): Thumbnail | undefined {
    return this.covers.get(id)?.content?.thumbnail;
  }

  write(writes: readonly CoverWrite[]): { durable: Promise<readonly WriteResult[]>; searchable: Promise<void> } {
    const durable = this.#commit(writes);
    const searchable = durable.then(async () => {
      await sleep(this.graphDelayMs);
      if (this.graphFailure !== undefined) throw this.graphFailure;
      for (const { id } of writes) this.searchable.add(id);
    });
    searchable.catch(() => {});
    return { durable, searchable };
  }

  async #commit(writes: readonly CoverWrite[]): Promise<readonly WriteResult[]> {
    await this.disk;
    await sleep(0);
    if (this.fail !== undefined) throw this.fail;
    if (writes.some(({ id }) => id === this.damaged)) throw failure('corrupt_data', 'The record is damaged.');
    this.batches.push(writes);
    return writes.map((write) => this.#apply(write));
  }

  #apply(write: CoverWrite): WriteResult {
    if (write.op === 'delete') return this.covers.delete(write.id) ? 'deleted' : 'not_found';
    const standing = this.covers.get(write.id);
    const content = write.content ?? standing?.content;
    if (content === undefined) throw new Error(`metadata of ${write.id} without content`);
    this.covers.set(write.id, { ...write, content });
    return standing === undefined ? 'created' : 'updated';
  }
}

/** An image tower whose embedding tells its input apart; `broken…` cannot be decoded. */
export class HashEncoder implements CoverEncoder {
  readonly model = { name: 'test', hash: 'h' };
  /** What was encoded, in order of arrival. */
  readonly encoded: string[] = [];
  running = 0;
  mostRunning = 0;
  /** Work on a picture takes until this settles. */
  work: (text: string) => Promise<unknown> = () => sleep(0);

  async encode(bytes: Uint8Array, signal: AbortSignal): Promise<DecodedImage> {
    const text = Buffer.from(bytes).toString();
    this.encoded.push(text);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    try {
      await untilAborted(this.work(text), signal);
    } finally {
      this.running--;
    }
    if (text.startsWith('broken')) throw failure('undecodable_image', 'The image cannot be decoded.');
    if (text.startsWith('bug')) throw new TypeError('x is not a function at /secret/path');
    const embedding = Float32Array.from(createHash('sha256').update(bytes).digest().subarray(0, 4));
    return {
      features: { embedding, tokens: undefined, ocrPresence: 0.5 },
      thumbnail: { bytes: new Uint8Array(1), contentType: 'image/webp' },
    };
  }
}
