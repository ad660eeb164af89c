/** Words shared by every room. Embeddings are L2-normalised float32 vectors; cosines are their dot products. */

export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Named scores of one (query, cover) pair: `cosine`, `ocr_presence`, `ocr_semantic`, `itm`, ... */
export type Signals = Readonly<Record<string, number>>;

/** A bundle as answers name it. `hash` is the sha256 over everything that the bundle holds. */
export interface ModelRef {
  readonly name: string;
  readonly hash: string;
}

/**
 * Image tokens as they are stored: the output of the image tower's last block, [count, width], quantised to int8 with
 * one scale per token. token[i][j] = values[i * width + j] * scales[i].
 */
export interface ImageTokens {
  readonly values: Int8Array;
  readonly scales: Float32Array;
}

/** What the image tower makes of one picture; none of it depends on a query. */
export interface CoverFeatures {
  /** [embedding_dim], L2-normalised. */
  readonly embedding: Float32Array;
  readonly tokens: ImageTokens | undefined;
  /** Probability that text is drawn on the cover; undefined where the bundle has no such head. */
  readonly ocrPresence: number | undefined;
}

/** A cover as the store returns it (without its tokens and thumbnail, which are read apart). */
export interface CoverRecord {
  readonly id: string;
  /** Number of the write that made this record; grows by one a write. */
  readonly sequence: number;
  readonly imageUrl: string | undefined;
  readonly title: string | undefined;
  readonly attributes: Attributes;
  /** sha256 (hex) of the image bytes; undefined for covers given as an embedding. */
  readonly imageHash: string | undefined;
  readonly ocrPresence: number | undefined;
  readonly hasTokens: boolean;
  readonly hasThumbnail: boolean;
}

/** A small picture kept at index time. */
export interface Thumbnail {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}

/** One condition on one attribute; all conditions of a filter must hold. */
export type FilterCondition =
  | string
  | number
  | boolean
  | { readonly in: readonly (string | number | boolean)[] }
  | { readonly gt?: number; readonly gte?: number; readonly lt?: number; readonly lte?: number }
  | { readonly exists: boolean }
  | { readonly not: FilterCondition };

export type Filter = Readonly<Record<string, FilterCondition>>;

/** W3C trace context of the request that work is done for, passed on as it came. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

export type DegradationReason = 'deadline_exceeded' | 'overloaded' | 'unavailable' | 'error';

/** A step that was lost or cut short, told in the answer. */
export interface Degradation {
  readonly stage: 'recall' | 'rerank';
  readonly reason: DegradationReason;
  readonly reranked?: number;
  readonly wanted?: number;
}

/** 0: the cover has nothing to do with the query, 1: something, 2: it is what was asked for. */
export type Grade = 0 | 1 | 2;

/** What a person thinks of one cover for one query. */
export interface Judgement {
  /** Number of the query, from 1, which stays its number: the topic of TREC's files. */
  readonly topic: number;
  readonly query: string;
  readonly id: string;
  readonly grade: Grade;
  /** Milliseconds since 1970. */
  readonly judgedAtMs: number;
}
