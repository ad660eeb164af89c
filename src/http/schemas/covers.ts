import { type Static, Type } from 'typebox';
import { AttributesSchema, CoverId, ModelRefSchema, nullable, RequestId, strict } from './common.ts';

export const CoverParams = strict({ id: CoverId });

export const CoverAnswer = strict({
  id: CoverId,
  sequence: Type.Integer({ description: 'Number of the write that made this record.' }),
  image_url: nullable(Type.String()),
  title: nullable(Type.String()),
  attributes: AttributesSchema,
  image_hash: nullable(
    Type.String({ description: 'sha256 of the image bytes; null for covers given as an embedding.' }),
  ),
  ocr_presence: nullable(Type.Number({ description: 'Probability that text is drawn on the cover.' })),
  rerankable: Type.Boolean({ description: 'Whether the image tokens that a reranker needs were kept.' }),
  has_image: Type.Boolean({ description: 'Whether a thumbnail was kept.' }),
});
export type CoverAnswer = Static<typeof CoverAnswer>;

export const DeleteAnswer = strict({ request_id: RequestId, id: CoverId, result: Type.Enum(['deleted']) });

const Sequence = Type.Integer({ minimum: 0 });

export const IndexStatusAnswer = strict({
  covers: Type.Integer({ minimum: 0 }),
  deleted: Type.Integer({ minimum: 0, description: 'Tombstones that a rebuild will drop.' }),
  bundle: ModelRefSchema,
  sequence: Sequence,
  durable_sequence: Sequence,
  graph: strict({
    state: Type.Enum(['loading', 'ready', 'rebuilding', 'failed']),
    elements: Type.Integer({ minimum: 0 }),
    capacity: Type.Integer({ minimum: 0 }),
    sequence: Sequence,
  }),
  snapshot: nullable(strict({ sequence: Sequence, created_at: Type.String() })),
});
export type IndexStatusAnswer = Static<typeof IndexStatusAnswer>;

export const SnapshotAnswer = strict({
  request_id: RequestId,
  name: Type.String(),
  sequence: Sequence,
  covers: Type.Integer({ minimum: 0 }),
  bytes: Type.Integer({ minimum: 0 }),
  created_at: Type.String(),
});
