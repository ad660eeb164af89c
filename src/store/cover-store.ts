import type { Thumbnail } from '../core/types.ts';
import { demandLmdbFile } from './lmdb/lmdb-file.ts';
import {
  type DatabaseByBytes,
  type DatabaseByNumber,
  databaseByBytes,
  databaseByNumber,
  openLmdb,
} from './lmdb/open-lmdb.ts';
import {
  decodeCover,
  decodeCoverLabel,
  decodeLogEntry,
  decodeThumbnail,
  encodeCover,
  encodeLogEntry,
  idKey,
  isCoverId,
  type LogEntry,
  type StoredCover,
} from './record-codec.ts';

/**
 * The covers on disk, in LMDB: the source of truth. Several threads of one process may each open the same file; each
 * reads from its own view, which `refresh` moves to the newest commit.
 *
 *   covers      id → cover                     log   sequence → what that write changed (see record-codec.ts)
 *   labels      label → id                     meta  'about' → StoreAbout as JSON, 'sequence' → u32
 *   embeddings, tokens, thumbnails             label → content
 *
 * Content is keyed by label, so that it never changes once written: a cover that gets new content points at a new label.
 */
export interface StoreAbout {
  readonly format: number;
  /** Random; tells this store from every other, so that no graph is taken for the graph of another store. */
  readonly storeId: string;
  readonly bundle: { readonly name: string; readonly hash: string };
  readonly embeddingDim: number;
  readonly tokens: { readonly count: number; readonly width: number } | null;
}

/** Content of one cover, encoded (see record-codec.ts). */
export interface EncodedContent {
  readonly embedding: Uint8Array<ArrayBuffer>;
  readonly tokens: Uint8Array<ArrayBuffer> | undefined;
  readonly thumbnail: Uint8Array<ArrayBuffer> | undefined;
}

export interface StoreCounts {
  readonly covers: number;
  readonly labels: number;
  readonly embeddings: number;
  readonly tokens: number;
  readonly thumbnails: number;
  readonly log: number;
}

export type CoverStore = ReturnType<typeof openCoverStore>;

const ABOUT_KEY = Buffer.from('about');
const SEQUENCE_KEY = Buffer.from('sequence');

/**
 * Opens the file at `path`, making it when it is not there. A transaction is fsynced before it returns. Throws when the
 * file is no LMDB file, or is cut off.
 */
export function openCoverStore(path: string) {
  demandLmdbFile(path);
  const env = openLmdb(path);
  const covers = databaseByBytes(env, 'covers');
  const meta = databaseByBytes(env, 'meta');
  const labels = databaseByNumber(env, 'labels');
  const embeddings = databaseByNumber(env, 'embeddings');
  const tokens = databaseByNumber(env, 'tokens');
  const thumbnails = databaseByNumber(env, 'thumbnails');
  const log = databaseByNumber(env, 'log');
  let embeddingView: Float32Array = new Float32Array(0);
  let embeddingSource: ArrayBufferLike | undefined;

  return {
    path,

    /** Reads that follow see every commit made before this call. */
    refresh(): void {
      env.resetReadTxn();
    },

    about(): StoreAbout | undefined {
      const bytes = meta.getBinary(ABOUT_KEY);
      return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as StoreAbout);
    },
    /** Sequence of the last write; 0 before the first. */
    lastSequence(): number {
      return meta.getBinary(SEQUENCE_KEY)?.readUInt32LE(0) ?? 0;
    },
    counts(): StoreCounts {
      return {
        covers: entries(covers),
        labels: entries(labels),
        embeddings: entries(embeddings),
        tokens: entries(tokens),
        thumbnails: entries(thumbnails),
        log: entries(log),
      };
    },

    cover(id: string): StoredCover | undefined {
      const bytes = isCoverId(id) ? covers.getBinary(idKey(id)) : undefined;
      return bytes === undefined ? undefined : decodeCover(id, bytes);
    },
    labelOf(id: string): number | undefined {
      const bytes = isCoverId(id) ? fastBytes(covers, idKey(id)) : undefined;
      return bytes === undefined ? undefined : decodeCoverLabel(bytes);
    },
    /** The cover whose content `label` is now; undefined when that content was replaced or deleted. */
    idOf(label: number): string | undefined {
      const bytes = fastBytes(labels, label);
      return bytes?.toString('utf8', 0, bytes.length);
    },
    /** A view that the next read of any kind overwrites: use it at once or copy it. */
    embedding(label: number): Float32Array | undefined {
      const bytes = fastBytes(embeddings, label);
      if (bytes === undefined) return undefined;
      const length = bytes.length / Float32Array.BYTES_PER_ELEMENT;
      // LMDB hands out the same buffer again and again; making a view costs more than scoring one.
      if (bytes.buffer !== embeddingSource || embeddingView.length !== length) {
        embeddingView = new Float32Array(bytes.buffer, bytes.byteOffset, length);
        embeddingSource = bytes.buffer;
      }
      return embeddingView;
    },
    /** Like `embedding`: overwritten by the next read. */
    tokens(label: number): Uint8Array | undefined {
      const bytes = fastBytes(tokens, label);
      return bytes === undefined ? undefined : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    },
    thumbnail(label: number): Thumbnail | undefined {
      const bytes = thumbnails.getBinary(label);
      return bytes === undefined ? undefined : decodeThumbnail(bytes);
    },

    /** Every cover, by id. */
    *allCovers(): Iterable<StoredCover> {
      for (const { key, value } of covers.getRange({ snapshot: true })) {
        yield decodeCover((key as Buffer).toString('utf8'), value);
      }
    },
    /** Up to `limit` labels above `label`, ascending. */
    labelsAfter(label: number, limit: number): number[] {
      return [...labels.getKeys({ start: label + 1, limit })];
    },
    /** Up to `limit` entries of the log after `sequence`, in order. */
    logAfter(sequence: number, limit: number): LogEntry[] {
      const range = log.getRange({ start: sequence + 1, limit });
      return [...range.map(({ key, value }) => decodeLogEntry(key as number, value))];
    },

    /** Runs `work` in one transaction; when it throws, or the disk is full, nothing of it is written. */
    transaction<T>(work: () => T): T {
      return env.transactionSync(work);
    },
    /** The ones below belong inside `transaction`. */
    putAbout(about: StoreAbout): void {
      meta.put(ABOUT_KEY, Buffer.from(JSON.stringify(about)));
    },
    putSequence(sequence: number): void {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(sequence);
      meta.put(SEQUENCE_KEY, bytes);
    },
    putCover(cover: StoredCover): void {
      covers.put(idKey(cover.id), encodeCover(cover));
    },
    deleteCover(id: string): void {
      covers.remove(idKey(id));
    },
    putContent(label: number, id: string, content: EncodedContent): void {
      labels.put(label, idKey(id));
      embeddings.put(label, asBuffer(content.embedding));
      if (content.tokens !== undefined) tokens.put(label, asBuffer(content.tokens));
      if (content.thumbnail !== undefined) thumbnails.put(label, asBuffer(content.thumbnail));
    },
    deleteContent(label: number): void {
      for (const database of [labels, embeddings, tokens, thumbnails]) database.remove(label);
    },
    putLogEntry(entry: LogEntry): void {
      log.put(entry.sequence, encodeLogEntry(entry));
    },
    /** Drops up to `limit` entries up to and including `sequence`; returns how many there were. */
    trimLog(sequence: number, limit: number): number {
      const old = [...log.getKeys({ end: sequence + 1, limit })];
      for (const key of old) log.remove(key);
      return old.length;
    },

    async close(): Promise<void> {
      await env.close();
    },
  };
}

function entries(database: DatabaseByBytes | DatabaseByNumber): number {
  return (database.getStats() as { entryCount: number }).entryCount;
}

/**
 * The value in LMDB's reused buffer, overwritten by the next read. Its `length` is the value's, but what looks at the
 * memory itself (`subarray`, `set`, an iteration) sees the whole buffer.
 */
function fastBytes(database: DatabaseByBytes | DatabaseByNumber, key: Buffer | number): Buffer | undefined {
  return database.getBinaryFast(key as never);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
