import type { Thumbnail } from '../core/types.ts';
import { decodeAbout, encodeAbout, type StoreAbout } from './data-dir/store-about.ts';
import { openLmdb } from './lmdb/open-lmdb.ts';
import { pagesOf, sealedByBytes, sealedByNumber, type TreeStats } from './lmdb/sealed-database.ts';
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
export type CoverStore = ReturnType<typeof openCoverStore>;

interface FileStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly free: TreeStats;
  readonly root: TreeStats;
}

const META_PAGES = 2;
const ABOUT_KEY = Buffer.from('about');
const SEQUENCE_KEY = Buffer.from('sequence');

/**
 * Opens the file at `path`, making it when it is not there; what is there must have been checked (see `openStore`). A
 * transaction is fsynced before it returns. Reads fail with `corrupt_data` over a record that is not as it was written.
 */
export function openCoverStore(path: string) {
  const env = openLmdb(path);
  let sawDamage = false;
  const onDamage = (): void => {
    sawDamage = true;
  };
  const covers = sealedByBytes(env, 'covers', onDamage);
  const meta = sealedByBytes(env, 'meta', onDamage);
  const abouts = env.openDB<Buffer, Buffer>({ name: 'meta', encoding: 'binary', keyEncoding: 'binary' });
  const labels = sealedByNumber(env, 'labels', onDamage);
  const embeddings = sealedByNumber(env, 'embeddings', onDamage);
  const tokens = sealedByNumber(env, 'tokens', onDamage);
  const thumbnails = sealedByNumber(env, 'thumbnails', onDamage);
  const log = sealedByNumber(env, 'log', onDamage);
  let embeddingView: Float32Array = new Float32Array(0);
  let embeddingSource: Buffer | undefined;

  return {
    path,

    /** Reads that follow see every commit made before this call. */
    refresh(): void {
      env.resetReadTxn();
    },

    about(): StoreAbout | undefined {
      const bytes = abouts.get(ABOUT_KEY);
      return bytes === undefined ? undefined : decodeAbout(bytes);
    },
    /** Sequence of the last write; 0 before the first. */
    lastSequence(): number {
      return meta.get(SEQUENCE_KEY)?.readUInt32LE(0) ?? 0;
    },
    counts(): StoreCounts {
      return {
        covers: covers.count,
        labels: labels.count,
        embeddings: embeddings.count,
        tokens: tokens.count,
        thumbnails: thumbnails.count,
        log: log.count,
      };
    },

    cover(id: string): StoredCover | undefined {
      const bytes = isCoverId(id) ? covers.get(idKey(id)) : undefined;
      return bytes === undefined ? undefined : decodeCover(id, bytes);
    },
    labelOf(id: string): number | undefined {
      const bytes = isCoverId(id) ? covers.peek(idKey(id)) : undefined;
      return bytes === undefined ? undefined : decodeCoverLabel(bytes);
    },
    /** The cover whose content `label` is now; undefined when that content was replaced or deleted. */
    idOf(label: number): string | undefined {
      return labels.peek(label)?.toString('utf8');
    },
    /** A view that the next read of any kind overwrites: use it at once or copy it. */
    embedding(label: number): Float32Array | undefined {
      const bytes = embeddings.peek(label);
      if (bytes === undefined) return undefined;
      if (bytes !== embeddingSource) {
        embeddingView = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / Float32Array.BYTES_PER_ELEMENT);
        embeddingSource = bytes;
      }
      return embeddingView;
    },
    /** Like `embedding`: overwritten by the next read. */
    tokens(label: number): Uint8Array | undefined {
      return tokens.peek(label);
    },
    hasTokens(label: number): boolean {
      return tokens.has(label);
    },
    hasThumbnail(label: number): boolean {
      return thumbnails.has(label);
    },
    thumbnail(label: number): Thumbnail | undefined {
      const bytes = thumbnails.get(label);
      return bytes === undefined ? undefined : decodeThumbnail(bytes);
    },

    /** Every cover, by id. */
    *allCovers(): Iterable<StoredCover> {
      for (const { key, value } of covers.entries()) {
        yield decodeCover(key.toString('utf8'), value);
      }
    },
    /** Up to `limit` labels above `label`, ascending. */
    labelsAfter(label: number, limit: number): number[] {
      return [...labels.keys({ start: label + 1, limit })];
    },
    /** Up to `limit` entries of the log after `sequence`, in order. */
    logAfter(sequence: number, limit: number): LogEntry[] {
      const range = log.entries({ start: sequence + 1, limit });
      return Array.from(range, ({ key, value }) => decodeLogEntry(key, value));
    },

    /** Bytes inside the file that hold nothing now. */
    freeInside(): number {
      const { pageSize, lastPageNumber, free, root } = env.getStats() as FileStats;
      const used = [covers, meta, labels, embeddings, tokens, thumbnails, log].map(({ pages }) => pages);
      const inUse = used.reduce((sum, pages) => sum + pages, META_PAGES + pagesOf(free) + pagesOf(root));
      return (lastPageNumber + 1 - inUse) * pageSize;
    },

    /** Runs `work` in one transaction; when it throws, nothing of it is written. Room must have been asked for. */
    transaction<T>(work: () => T): T {
      return env.transactionSync(work);
    },
    /** The ones below belong inside `transaction`. */
    putAbout(about: StoreAbout): void {
      abouts.put(ABOUT_KEY, encodeAbout(about));
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
      embeddings.put(label, content.embedding);
      if (content.tokens !== undefined) tokens.put(label, content.tokens);
      if (content.thumbnail !== undefined) thumbnails.put(label, content.thumbnail);
    },
    deleteContent(label: number): void {
      for (const database of [labels, embeddings, tokens, thumbnails]) database.remove(label);
    },
    putLogEntry(entry: LogEntry): void {
      log.put(entry.sequence, encodeLogEntry(entry));
    },
    /** Drops up to `limit` entries up to and including `sequence`; returns how many there were. */
    trimLog(sequence: number, limit: number): number {
      const old = [...log.keys({ end: sequence + 1, limit })];
      for (const key of old) log.remove(key);
      return old.length;
    },

    /** Whether all that was read of the store was whole. */
    async close(): Promise<boolean> {
      await env.close();
      return !sawDamage;
    },
  };
}
