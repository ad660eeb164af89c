import type { Attributes, CoverRecord, ImageTokens, Thumbnail } from '../core/types.ts';

/**
 * The bytes behind each kind of record. All integers are little-endian.
 *
 *   cover      u32 sequence, u32 label, JSON of the rest
 *   embedding  f32 [embedding_dim]
 *   tokens     f32 [count] scales, i8 [count, width] values
 *   thumbnail  u8 n, n bytes of content type, the picture
 *   log        u32 label, u32 replaced, the cover's id
 */

/** A cover as it lies in the store. `label` names the content it points at: the sequence of the write that brought it. */
export interface StoredCover extends CoverRecord {
  readonly label: number;
}

/**
 * One write in the log. `label` is the cover's content after the write, 0 when the cover was deleted; `replaced` is the
 * content that it lost, 0 when there was none or it stayed.
 */
export interface LogEntry {
  readonly sequence: number;
  readonly id: string;
  readonly label: number;
  readonly replaced: number;
}

/** Shape of a bundle's image tokens. */
export interface TokenShape {
  readonly count: number;
  readonly width: number;
}

const COVER_HEADER_BYTES = 8;
const LOG_HEADER_BYTES = 8;

/** JSON part of a cover; undefined fields are left out. */
interface CoverDocument {
  readonly image_url?: string | undefined;
  readonly title?: string | undefined;
  readonly attributes: Attributes;
  readonly image_hash?: string | undefined;
  readonly ocr_presence?: number | undefined;
  readonly tokens: boolean;
  readonly thumbnail: boolean;
}

/** Bytes (UTF-8) that an id may have. */
export const MAX_ID_BYTES = 256;

/**
 * Whether a cover can have this id: 1..256 bytes of well-formed Unicode. A lone surrogate has no bytes of its own, so
 * that two such ids would be one.
 */
export function isCoverId(id: string): boolean {
  return id !== '' && Buffer.byteLength(id, 'utf8') <= MAX_ID_BYTES && id.isWellFormed();
}

/** An id's key. Bytes and not text: LMDB's text keys end at a NUL, and ids may hold one. */
export function idKey(id: string): Buffer {
  return Buffer.from(id, 'utf8');
}

export function encodeCover(cover: StoredCover): Buffer {
  const document: CoverDocument = {
    image_url: cover.imageUrl,
    title: cover.title,
    attributes: cover.attributes,
    image_hash: cover.imageHash,
    ocr_presence: cover.ocrPresence,
    tokens: cover.hasTokens,
    thumbnail: cover.hasThumbnail,
  };
  const json = Buffer.from(JSON.stringify(document), 'utf8');
  const bytes = Buffer.allocUnsafe(COVER_HEADER_BYTES + json.length);
  bytes.writeUInt32LE(cover.sequence, 0);
  bytes.writeUInt32LE(cover.label, 4);
  json.copy(bytes, COVER_HEADER_BYTES);
  return bytes;
}

export function decodeCover(id: string, bytes: Buffer): StoredCover {
  const document = JSON.parse(bytes.toString('utf8', COVER_HEADER_BYTES, bytes.length)) as CoverDocument;
  return {
    id,
    sequence: bytes.readUInt32LE(0),
    label: decodeCoverLabel(bytes),
    imageUrl: document.image_url,
    title: document.title,
    attributes: document.attributes,
    imageHash: document.image_hash,
    ocrPresence: document.ocr_presence,
    hasTokens: document.tokens,
    hasThumbnail: document.thumbnail,
  };
}

/** The label alone, without the cost of the JSON. */
export function decodeCoverLabel(bytes: Buffer): number {
  return bytes.readUInt32LE(4);
}

export function encodeLogEntry(entry: LogEntry): Buffer {
  const id = idKey(entry.id);
  const bytes = Buffer.allocUnsafe(LOG_HEADER_BYTES + id.length);
  bytes.writeUInt32LE(entry.label, 0);
  bytes.writeUInt32LE(entry.replaced, 4);
  id.copy(bytes, LOG_HEADER_BYTES);
  return bytes;
}

export function decodeLogEntry(sequence: number, bytes: Buffer): LogEntry {
  return {
    sequence,
    label: bytes.readUInt32LE(0),
    replaced: bytes.readUInt32LE(4),
    id: bytes.toString('utf8', LOG_HEADER_BYTES, bytes.length),
  };
}

/** A copy in an ArrayBuffer of its own, which can be moved to another thread. */
export function encodeEmbedding(embedding: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Float32Array.from(embedding).buffer);
}

/** Bytes of one cover's tokens. */
export function tokenBytes({ count, width }: TokenShape): number {
  return count * (Float32Array.BYTES_PER_ELEMENT + width);
}

/** Like `encodeEmbedding`: a copy that can be moved. Scales come first so that they are aligned. */
export function encodeTokens(tokens: ImageTokens): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(tokens.scales.byteLength + tokens.values.byteLength);
  bytes.set(new Uint8Array(tokens.scales.buffer, tokens.scales.byteOffset, tokens.scales.byteLength), 0);
  bytes.set(
    new Uint8Array(tokens.values.buffer, tokens.values.byteOffset, tokens.values.byteLength),
    tokens.scales.byteLength,
  );
  return bytes;
}

/** Views on the tokens at `offset` (a multiple of 4) of `buffer`; nothing is copied. */
export function viewTokens(buffer: ArrayBuffer, offset: number, { count, width }: TokenShape): ImageTokens {
  const scales = new Float32Array(buffer, offset, count);
  return { scales, values: new Int8Array(buffer, offset + scales.byteLength, count * width) };
}

export function encodeThumbnail(thumbnail: Thumbnail): Uint8Array<ArrayBuffer> {
  const contentType = Buffer.from(thumbnail.contentType, 'latin1').subarray(0, 255);
  const bytes = new Uint8Array(1 + contentType.length + thumbnail.bytes.length);
  bytes[0] = contentType.length;
  bytes.set(contentType, 1);
  bytes.set(thumbnail.bytes, 1 + contentType.length);
  return bytes;
}

export function decodeThumbnail(bytes: Buffer): Thumbnail {
  const start = 1 + bytes.readUInt8(0);
  return { contentType: bytes.toString('latin1', 1, start), bytes: new Uint8Array(bytes.subarray(start)) };
}
