import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { failure, isFailure } from '../core/errors.ts';
import type { CoverContent, CoverEncoder, CoverIndex, CoverWrite, ImageFetcher } from '../core/ports.ts';
import type { CoverRecord } from '../core/types.ts';
import type { IndexItem, UpsertItem } from './item.ts';

/** What indexing an item comes to: something to write, or nothing because the index already says the same. */
export type PlannedWrite = { readonly write: CoverWrite } | { readonly unchanged: true };

export interface WritePlannerDeps {
  readonly index: Pick<CoverIndex, 'get' | 'tokens' | 'thumbnail'>;
  readonly encoder: CoverEncoder;
  readonly fetcher: ImageFetcher;
  readonly embeddingDim: number;
}

export type WritePlanner = (item: IndexItem, signal: AbortSignal) => Promise<PlannedWrite>;

/**
 * Does all of an item's work but the write: fetches its picture, compares it with the record that stands, and runs the
 * image tower where the picture is new. An index holds one bundle's covers, so the same bytes mean the same features.
 */
export function createWritePlanner({ index, encoder, fetcher, embeddingDim }: WritePlannerDeps): WritePlanner {
  async function planPicture(item: UpsertItem, bytes: Uint8Array, signal: AbortSignal): Promise<PlannedWrite> {
    // Hashed first: the encoder may hand the buffer on to its thread.
    const imageHash = createHash('sha256').update(bytes).digest('hex');
    const record = item.ifChanged ? readableRecord(item.id, index) : undefined;
    if (record?.imageHash === imageHash && canBeRead(record, index)) {
      return sameMetadata(record, item) ? { unchanged: true } : upsert(item, undefined);
    }
    const { features, thumbnail } = await encoder.encode(bytes, signal);
    return upsert(item, { features, thumbnail, imageHash });
  }

  return async (item, signal) => {
    if ('delete' in item) return { write: { op: 'delete', id: item.id } };
    const { source } = item;
    if ('embedding' in source) {
      const embedding = normalisedEmbedding(source.embedding, embeddingDim);
      const features = { embedding, tokens: undefined, ocrPresence: undefined };
      return upsert(item, { features, thumbnail: undefined, imageHash: undefined });
    }
    const bytes = 'bytes' in source ? source.bytes : await fetcher.fetch(source.url, signal);
    return planPicture(item, bytes, signal);
  };
}

/** A damaged record is none: the cover is made anew. */
function readableRecord(id: string, index: WritePlannerDeps['index']): CoverRecord | undefined {
  try {
    return index.get(id);
  } catch (error) {
    if (isFailure(error, 'corrupt_data')) return undefined;
    throw error;
  }
}

/** Whether what was made of the cover's picture is still whole; where it is not, it must be made again. */
function canBeRead({ id, hasTokens, hasThumbnail }: CoverRecord, index: WritePlannerDeps['index']): boolean {
  try {
    return (!hasTokens || index.tokens([id])[0] !== undefined) && (!hasThumbnail || index.thumbnail(id) !== undefined);
  } catch (error) {
    if (isFailure(error, 'corrupt_data')) return false;
    throw error;
  }
}

/** A copy of length 1. Fails with `invalid_embedding` for another dimension, for NaN and infinities, and for zero. */
export function normalisedEmbedding(vector: Float32Array, dimension: number): Float32Array {
  if (vector.length !== dimension) {
    throw failure('invalid_embedding', `The embedding has ${vector.length} numbers; the bundle's have ${dimension}.`);
  }
  if (!vector.every(Number.isFinite)) {
    throw failure('invalid_embedding', 'The embedding holds a number that a 32-bit float cannot.');
  }
  // In doubles, and scaled by the largest first: squares of large or tiny floats still fit.
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0) throw failure('invalid_embedding', 'The embedding is zero and has no direction.');
  const norm = largest * Math.sqrt(vector.reduce((sum, value) => sum + (value / largest) ** 2, 0));
  return vector.map((value) => value / norm);
}

function upsert(item: UpsertItem, content: CoverContent | undefined): PlannedWrite {
  const { id, title, attributes } = item;
  return { write: { op: 'upsert', id, imageUrl: urlOf(item), title, attributes, content } };
}

function urlOf({ source }: UpsertItem): string | undefined {
  return 'url' in source ? source.url : undefined;
}

function sameMetadata(record: CoverRecord, item: UpsertItem): boolean {
  return (
    record.title === item.title &&
    record.imageUrl === urlOf(item) &&
    isDeepStrictEqual({ ...record.attributes }, { ...item.attributes })
  );
}
