import { type Static, Type } from 'typebox';
import { LIMITS } from '../limits.ts';
import type { Picture } from '../pictures/picture-body.ts';
import { CoverId, ItemProblemSchema, ModelRefSchema, Query, RequestId, Signals, strict } from './common.ts';

const Base64 = Type.String({
  minLength: 1,
  contentEncoding: 'base64',
  description: 'A JPEG, PNG or WebP picture in standard base64 with padding.',
});

/** In place of `Base64` once the body is parsed. */
const ParsedPicture = Type.Unsafe<Picture>({});

const pairOf = <P extends Record<string, Type.TSchema>>(image: P) => strict({ query: Query, ...image });

const scoreBody = <P extends Type.TSchema>(picture: P) =>
  strict(
    {
      pairs: Type.Array(
        Type.Union([
          pairOf({ id: CoverId }),
          pairOf({ image_url: Type.String({ minLength: 1, maxLength: 2048 }) }),
          pairOf({ image_base64: picture }),
        ]),
        { minItems: 1, maxItems: LIMITS.scorePairs },
      ),
    },
    { examples: [{ pairs: [{ query: '红烧肉', id: 'v1' }] }] },
  );
/** As it is sent; it is validated as `ParsedScoreBody`. */
export const ScoreBody = scoreBody(Base64);
export const ParsedScoreBody = scoreBody(ParsedPicture);
export type ParsedScoreBody = Static<typeof ParsedScoreBody>;

export const ScoreAnswer = strict({
  request_id: RequestId,
  pairs: Type.Array(
    strict({
      signals: Type.Optional(Signals),
      relevance_score: Type.Optional(Type.Number()),
      error: Type.Optional(ItemProblemSchema),
    }),
    { description: 'One entry per pair, in order: its signals, or why there are none.' },
  ),
});
export type ScoreAnswer = Static<typeof ScoreAnswer>;

const embedBody = <P extends Type.TSchema>(picture: P) =>
  Type.Union(
    [
      strict({ texts: Type.Array(Query, { minItems: 1, maxItems: LIMITS.embedTexts }) }),
      strict({ images_base64: Type.Array(picture, { minItems: 1, maxItems: LIMITS.embedImages }) }),
    ],
    { examples: [{ texts: ['红烧肉', '猫咪日常'] }] },
  );
/** As it is sent; it is validated as `ParsedEmbedBody`. */
export const EmbedBody = embedBody(Base64);
export const ParsedEmbedBody = embedBody(ParsedPicture);
export type ParsedEmbedBody = Static<typeof ParsedEmbedBody>;

export const EmbedAnswer = strict({
  request_id: RequestId,
  embeddings: Type.Array(Type.Array(Type.Number()), { description: 'One L2-normalised vector per input, in order.' }),
  model: ModelRefSchema,
});
