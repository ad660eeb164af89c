import { dot } from '../core/dot.ts';
import { failure } from '../core/errors.ts';
import type { CoverContent, CoverWrite } from '../core/ports.ts';
import type { EncodedUpsert, EncodedWrite } from './cover-writer.ts';
import {
  encodeEmbedding,
  encodeThumbnail,
  encodeTokens,
  isCoverId,
  MAX_ID_BYTES,
  type TokenShape,
} from './record-codec.ts';

/** What content must look like to fit the bundle. */
export interface ContentShape {
  readonly embeddingDim: number;
  readonly tokens: TokenShape | null;
}

/** How far an embedding's length may be from 1. */
const NORM_TOLERANCE = 1e-2;

/**
 * A write in bytes that nothing else holds, so that they can be moved to the writer's thread. Fails with
 * `invalid_request` for an id that cannot be stored and `invalid_embedding` for content that does not fit.
 */
export function encodeWrite(write: CoverWrite, shape: ContentShape): EncodedWrite {
  if (!isCoverId(write.id)) {
    throw failure('invalid_request', `An id has 1 to ${MAX_ID_BYTES} bytes of well-formed Unicode.`);
  }
  if (write.op === 'delete') return { op: 'delete', id: write.id };
  const { op, id, imageUrl, title, attributes, content } = write;
  return { op, id, imageUrl, title, attributes, content: content && encodeContent(content, shape) };
}

/** Fails with `invalid_embedding` unless the vector is finite, L2-normalised and of the bundle's length. */
export function demandEmbedding(embedding: Float32Array, dim: number): void {
  if (embedding.length !== dim) {
    throw failure('invalid_embedding', `The embedding has ${embedding.length} numbers; the bundle makes ${dim}.`);
  }
  const norm = Math.sqrt(dot(embedding, embedding));
  // Written so that NaN fails too.
  if (!(Math.abs(norm - 1) <= NORM_TOLERANCE)) {
    throw failure('invalid_embedding', 'The embedding must be finite and L2-normalised.');
  }
}

function encodeContent(content: CoverContent, { embeddingDim, tokens: shape }: ContentShape): EncodedUpsert['content'] {
  const { features, imageHash, thumbnail } = content;
  const { embedding, tokens, ocrPresence } = features;
  demandEmbedding(embedding, embeddingDim);
  if (tokens !== undefined) {
    if (shape === null || tokens.scales.length !== shape.count || tokens.values.length !== shape.count * shape.width) {
      throw failure('invalid_embedding', 'The image tokens do not fit the bundle.');
    }
  }
  return {
    embedding: encodeEmbedding(embedding),
    tokens: tokens && encodeTokens(tokens),
    thumbnail: thumbnail && encodeThumbnail(thumbnail),
    imageHash,
    ocrPresence,
  };
}
