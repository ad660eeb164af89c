const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What a request may hold, once: schemas, domain checks and the OpenAPI document all read it here. A character is a
 * Unicode code point. What depends on the machine (queues, concurrency, picture sizes) is configuration.
 */
export const LIMITS = {
  queryCharacters: 1000,
  topN: 1000,
  recallK: 10_000,
  candidates: 10_000,
  /** UTF-8 bytes of a cover id. */
  coverIdBytes: 256,
  deadlineMs: 60_000,
  filterConditions: 64,
  filterValues: 1000,
  filterValueCharacters: 1024,
  /** How often a condition may be negated: `{"not": {"not": …}}`. */
  filterNesting: 8,
  /** Weights are bounded so that no sum of them leaves what JSON can hold. */
  weight: 1_000_000,
  indexItems: 1000,
  scorePairs: 1000,
  /** Judgements in one request, or in one answer that is not a stream. */
  judgements: 10_000,
  embedTexts: 256,
  embedImages: 32,
  requestIdCharacters: 128,
  /** Problems told in one answer; a client that got more wrong sees the rest after mending these. */
  fieldErrors: 20,
  /** Holds 10,000 candidate ids of 256 bytes, each quoted, with room for escapes. */
  rankBodyBytes: 4 * MIB,
  /** Bodies that carry pictures. */
  imageBodyBytes: 32 * MIB,
  textBodyBytes: 2 * MIB,
  /** A file of judgements; that of CBVS-20K has 3 MB. */
  judgementsBodyBytes: 16 * MIB,
  /** An NDJSON line holds one picture in base64 and this much beside it. */
  ndjsonLineExtraBytes: 64 * KIB,
} as const;

export const DEFAULTS = {
  topN: 10,
  recallK: 100,
  rerankK: 50,
  deadlineMs: 500,
} as const;

/** How long a client may take, and how long the service may. Milliseconds. */
export const TIMEOUTS = {
  headersMs: 10_000,
  /** To receive a body that is read whole; NDJSON streams have no such limit, only the idle one. */
  bodyMs: 15_000,
  /** A connection on which nothing moves. */
  idleMs: 30_000,
  /** For a place among the indexing requests; less than a connection may be idle. */
  indexWaitMs: 20_000,
  keepAliveMs: 72_000,
  /** To answer /score and /embed, which have no deadline of their own. */
  handlerMs: 60_000,
} as const;

/** Most bytes that one line of an NDJSON request may have. */
export function ndjsonLineBytes(imageMaxBytes: number): number {
  return Math.ceil(imageMaxBytes / 3) * 4 + LIMITS.ndjsonLineExtraBytes;
}
