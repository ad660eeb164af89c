import { failure } from '../../../core/errors.ts';
import type { CoverRecord } from '../../../core/types.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { CoverAnswer, CoverParams } from '../../schemas/covers.ts';

const schema = {
  operationId: 'getCover',
  tags: ['covers'],
  summary: 'What is known of a cover',
  description: 'A slash inside an id is written `%2F`.',
  params: CoverParams,
  response: { 200: answer('The cover.', CoverAnswer), ...problems({ codes: ['not_found'] }) },
};

export const addGetCover: AddRoute = (app, { lifecycle }) => {
  app.get('/covers/:id', { schema, config: { scope: ['rank', 'index'] } }, async (request) => {
    const cover = lifecycle.services().index.get(request.params.id);
    if (cover === undefined) throw failure('not_found', 'There is no cover with this id.');
    return presentCover(cover);
  });
};

function presentCover(cover: CoverRecord): CoverAnswer {
  return {
    id: cover.id,
    sequence: cover.sequence,
    image_url: cover.imageUrl ?? null,
    title: cover.title ?? null,
    attributes: cover.attributes,
    image_hash: cover.imageHash ?? null,
    ocr_presence: cover.ocrPresence ?? null,
    rerankable: cover.hasTokens,
    has_image: cover.hasThumbnail,
  };
}
