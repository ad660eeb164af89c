import type {
  Attributes,
  CoverFeatures,
  CoverRecord,
  Filter,
  ImageTokens,
  Judgement,
  ModelRef,
  Signals,
  Thumbnail,
  TraceContext,
} from './types.ts';

/**
 * What the rooms need of each other. `ranking` and `indexing` are written against these interfaces alone;
 * `services.ts` decides what stands behind them.
 */

export interface EncodedQuery {
  readonly embedding: Float32Array;
  /** True when the query had more tokens than the model's context holds and was cut. */
  readonly truncated: boolean;
  readonly timings: { readonly tokenizeMs: number; readonly queueMs: number; readonly embedMs: number };
}

export interface QueryEncoder {
  readonly model: ModelRef;
  /** Rejects with `overloaded` when its queue is full and `cancelled`/`deadline_exceeded` when the signal fires first. */
  encode(text: string, signal: AbortSignal): Promise<EncodedQuery>;
  /** Milliseconds that the texts which were asked for are expected to take from now on, with the cores to themselves. */
  aheadMs(): number;
}

export interface DecodedImage {
  readonly features: CoverFeatures;
  readonly thumbnail: Thumbnail;
}

export interface CoverEncoder {
  readonly model: ModelRef;
  /** Rejects with `undecodable_image`, `unsupported_image` or `image_too_large` for a picture that cannot be used. */
  encode(imageBytes: Uint8Array, signal: AbortSignal): Promise<DecodedImage>;
}

/** A query in the form the cross-encoder wants it; made once per query, used for every chunk. */
export interface PreparedQuery {
  readonly tokenIds: readonly number[];
}

export interface CrossEncoder {
  readonly model: ModelRef;
  /** Names of the signals that `score` adds to a cover's own. */
  readonly signals: readonly string[];
  prepare(text: string): PreparedQuery;
  /**
   * How many of `pairs` pairs the next call should hold, so that it is answered within `remainingMs`, queueing included;
   * 0 when not even one would be. `textsMs` of work on queries' texts go before them where both need the same cores.
   */
  fittingPairs(pairs: number, remainingMs: number, textsMs?: number): number;
  /**
   * One Signals per image, in order. Cancelled work is dropped before it costs. Calls under one signal are one caller's:
   * callers are served side by side, whatever each of them wants.
   */
  score(
    query: PreparedQuery,
    images: readonly ImageTokens[],
    signal: AbortSignal,
    options?: ScoreOptions,
  ): Promise<readonly Signals[]>;
}

export interface ScoreOptions {
  /** What is left until the answer is of no use any more; without it there is no hurry. */
  readonly remainingMs?: number;
  /** For a server that does the work. */
  readonly trace?: TraceContext | undefined;
}

export interface RecallQuery {
  readonly embedding: Float32Array;
  readonly k: number;
  readonly filter?: Filter;
  /** Rank only these covers, by exact cosine. */
  readonly candidates?: readonly string[];
}

export interface Neighbor {
  readonly id: string;
  readonly cosine: number;
}

export interface RecallResult {
  /** By cosine, highest first; of equal cosines the smaller id first. */
  readonly neighbors: readonly Neighbor[];
  /** Candidates that the index does not hold. */
  readonly missing: readonly string[];
}

/** A cover to be written. */
export interface CoverUpsert {
  readonly op: 'upsert';
  readonly id: string;
  readonly imageUrl: string | undefined;
  readonly title: string | undefined;
  readonly attributes: Attributes;
  /** Undefined when only the metadata changes: embedding, tokens, presence, thumbnail and image hash stay. */
  readonly content: CoverContent | undefined;
}

export interface CoverContent {
  readonly features: CoverFeatures;
  readonly imageHash: string | undefined;
  readonly thumbnail: Thumbnail | undefined;
}

export interface CoverDelete {
  readonly op: 'delete';
  readonly id: string;
}

export type CoverWrite = CoverUpsert | CoverDelete;
export type WriteResult = 'created' | 'updated' | 'deleted' | 'not_found';

export interface IndexStatus {
  readonly covers: number;
  /** Tombstones in the graph that a rebuild will drop. */
  readonly deleted: number;
  readonly bundle: ModelRef;
  readonly sequence: number;
  readonly durableSequence: number;
  readonly graph: {
    readonly state: 'loading' | 'ready' | 'rebuilding' | 'failed';
    readonly elements: number;
    readonly capacity: number;
    readonly sequence: number;
  };
  readonly snapshot: { readonly sequence: number; readonly createdAt: string } | null;
}

/** Covers on disk together with the graph that is derived from them. */
export interface CoverIndex {
  recall(query: RecallQuery, signal: AbortSignal): Promise<RecallResult>;
  get(id: string): CoverRecord | undefined;
  /** One entry per id, in order; undefined where the cover has no tokens. */
  tokens(ids: readonly string[]): readonly (ImageTokens | undefined)[];
  thumbnail(id: string): Thumbnail | undefined;
  /**
   * Writes all of them in one transaction. `durable` settles once they are fsynced (and carries the results, in order),
   * `searchable` once the graph holds them too. Rejects with `storage_full` when the disk is full; then nothing of the
   * batch was written.
   */
  write(writes: readonly CoverWrite[]): { durable: Promise<readonly WriteResult[]>; searchable: Promise<void> };
  status(): IndexStatus;
  /** Puts a consistent copy of store and graph under the data folder's `snapshots/`. */
  snapshot(): Promise<SnapshotInfo>;
  rebuild(): Promise<void>;
  close(): Promise<void>;
}

export interface SnapshotInfo {
  readonly name: string;
  readonly sequence: number;
  readonly covers: number;
  readonly bytes: number;
  readonly createdAt: string;
}

export interface JudgementCounts {
  readonly judgements: number;
  /** Queries that were ever judged. */
  readonly queries: number;
}

export interface WrittenJudgements {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
}

/** Judgements on disk. A pair of a query (as it was ranked: trimmed) and a cover's id has one at most. */
export interface JudgementStore {
  topicOf(query: string): number | undefined;
  /** Every query that was ever judged, by topic. */
  queries(): Iterable<{ readonly topic: number; readonly query: string }>;
  /** Those of one query, or all: by topic, then by id. */
  list(query?: string): Iterable<Judgement>;
  /**
   * Writes all of them in one transaction; resolves once they are fsynced. A pair that was judged before gets the new
   * grade. Rejects with `storage_full` when the disk is full; then nothing was written.
   */
  put(judgements: readonly Pick<Judgement, 'query' | 'id' | 'grade'>[]): Promise<WrittenJudgements>;
  /**
   * The same for very many, which this thread need not see: a JSON array of them in UTF-8. The buffer moves away. They must
   * have been checked.
   */
  putPacked(judgements: Uint8Array<ArrayBuffer>): Promise<WrittenJudgements>;
  /** Whether there was such a judgement. */
  remove(query: string, id: string): Promise<boolean>;
  counts(): JudgementCounts;
}

export interface ImageFetcher {
  /**
   * The bytes behind a public http(s) address. Rejects with `fetch_forbidden`, `fetch_refused` (for good),
   * `fetch_failed` (for the moment), `fetch_skipped` (it failed before), `unsupported_image` or `too_large`.
   */
  fetch(url: string, signal: AbortSignal): Promise<Uint8Array>;
}

/** A tensor on its way into or out of a graph. */
export interface Tensor {
  readonly type: 'float32' | 'int64' | 'int32' | 'int8' | 'uint8' | 'float16';
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array | Uint16Array;
}

export type TensorMap = Readonly<Record<string, Tensor>>;

/** One loaded ONNX graph. */
export interface GraphSession {
  /** `outputs` names those to return; all of them when it is left out. */
  run(inputs: TensorMap, outputs?: readonly string[]): Promise<TensorMap>;
  close(): Promise<void>;
}

export type OpenGraph = (file: string) => Promise<GraphSession>;
