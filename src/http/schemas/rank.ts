import { type Static, Type } from 'typebox';
import type { Filter, FilterCondition } from '../../core/types.ts';
import { DEFAULTS, LIMITS } from '../limits.ts';
import {
  AttributesSchema,
  CoverId,
  ModelRefSchema,
  mapOf,
  nullable,
  Query,
  RequestId,
  refTo,
  Signals,
  strict,
} from './common.ts';

const Scalar = Type.Union([Type.String({ maxLength: LIMITS.filterValueCharacters }), Type.Number(), Type.Boolean()]);

/** Nested by `not`; how deep is checked before the schema is, since the validator recurses. */
export const FilterConditionSchema = Type.Unsafe<FilterCondition>({
  $id: 'FilterCondition',
  description: 'A scalar (equals), or one of in, gt/gte/lt/lte, exists, not.',
  anyOf: [
    ...Scalar.anyOf,
    strict({ in: Type.Array(Scalar, { maxItems: LIMITS.filterValues }) }),
    strict(
      {
        gt: Type.Optional(Type.Number()),
        gte: Type.Optional(Type.Number()),
        lt: Type.Optional(Type.Number()),
        lte: Type.Optional(Type.Number()),
      },
      { minProperties: 1 },
    ),
    strict({ exists: Type.Boolean() }),
    strict({ not: refTo('FilterCondition') }),
  ],
});

const FilterSchema = Type.Unsafe<Filter>(
  mapOf(refTo('FilterCondition'), {
    maxProperties: LIMITS.filterConditions,
    description: `Conditions on attributes; all must hold. At most ${LIMITS.filterNesting} times not in a row.`,
    examples: [{ channel: 'food', duration: { gte: 15, lt: 60 }, tags: { not: { in: ['ad'] } } }],
  }),
);

const Weights = mapOf(Type.Number({ minimum: -LIMITS.weight, maximum: LIMITS.weight }), {
  description:
    "Weight per signal, in the place of the service's own; a signal that is not named weighs 0. GET /settings tells " +
    'both. Default: the weights of the service.',
  examples: [{ cosine: 1, ocr_match: 0.3 }],
});

const Include = Type.Enum(['cover', 'signals', 'timings']);

export const RankBody = strict(
  {
    query: Query,
    top_n: Type.Integer({ minimum: 1, maximum: LIMITS.topN, default: DEFAULTS.topN, description: 'Hits to answer.' }),
    recall_k: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.recallK,
        description: `Covers to recall, at least top_n. Default: ${DEFAULTS.recallK}, or top_n where that is more.`,
      }),
    ),
    rerank_k: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: LIMITS.recallK,
        description: `Covers to rerank, at most recall_k; 0: none. Default: ${DEFAULTS.rerankK}, or recall_k where that is less.`,
      }),
    ),
    candidates: Type.Optional(
      Type.Array(CoverId, { maxItems: LIMITS.candidates, description: 'Rank just these covers. Default: all.' }),
    ),
    filter: Type.Optional(FilterSchema),
    weights: Type.Optional(Weights),
    deadline_ms: Type.Integer({
      minimum: 1,
      maximum: LIMITS.deadlineMs,
      default: DEFAULTS.deadlineMs,
      description: 'Milliseconds until the answer must be out; what cannot be done by then is left out and told.',
    }),
    include: Type.Array(Include, {
      default: ['cover', 'signals'],
      description: 'What to answer of each hit; timings adds timings_ms to the answer.',
    }),
  },
  { examples: [{ query: '红烧肉的家常做法', top_n: 3, include: ['cover', 'signals', 'timings'] }] },
);
export type RankBody = Static<typeof RankBody>;

const Hit = strict({
  id: CoverId,
  rank: Type.Integer({ minimum: 1 }),
  relevance_score: Type.Number({ description: 'Sum over the signals of weight times signal.' }),
  stage: Type.Enum(['rerank', 'recall']),
  recall_rank: Type.Integer({ minimum: 1, description: 'Place in recall order.' }),
  signals: Type.Optional(Signals),
  contributions: Type.Optional(Signals),
  cover: Type.Optional(
    strict({ image_url: nullable(Type.String()), title: nullable(Type.String()), attributes: AttributesSchema }),
  ),
});

const DegradationSchema = strict({
  stage: Type.Enum(['recall', 'rerank']),
  reason: Type.Enum(['deadline_exceeded', 'overloaded', 'unavailable', 'error']),
  reranked: Type.Optional(Type.Integer({ minimum: 0 })),
  wanted: Type.Optional(Type.Integer({ minimum: 0 })),
});

const Milliseconds = Type.Number({ minimum: 0 });

export const Timings = strict({
  queue: Milliseconds,
  tokenize: Milliseconds,
  embed: Milliseconds,
  recall: Milliseconds,
  rerank: Milliseconds,
  fuse: Milliseconds,
  total: Milliseconds,
});
export type Timings = Static<typeof Timings>;

export const RankAnswer = strict({
  request_id: RequestId,
  query: Type.String({ description: 'The query as it was ranked: trimmed.' }),
  query_truncated: Type.Boolean({ description: 'The query had more tokens than the model takes and was cut.' }),
  model: strict({ recall: ModelRefSchema, rerank: nullable(ModelRefSchema) }),
  results: Type.Array(Hit, { description: 'Best first; reranked hits before those that were only recalled.' }),
  missing: Type.Array(Type.String(), { description: 'Candidates that the index does not hold.' }),
  degraded: Type.Array(DegradationSchema, { description: 'What was lost or cut short; empty when nothing was.' }),
  timings_ms: Type.Optional(Timings),
});
export type RankAnswer = Static<typeof RankAnswer>;
