import { failure } from '../../../core/errors.ts';
import type { AddRoute } from '../../route.ts';
import { problems } from '../../schemas/common.ts';
import { CoverParams } from '../../schemas/covers.ts';

const image = { schema: { type: 'string', format: 'binary' } };

const schema = {
  operationId: 'getCoverImage',
  tags: ['covers'],
  summary: 'The thumbnail kept of a cover',
  params: CoverParams,
  response: {
    200: { description: 'The picture.', content: { 'image/webp': image, 'image/jpeg': image, 'image/png': image } },
    304: { description: 'The picture is still the one that If-None-Match names.', type: 'null' },
    ...problems({ codes: ['not_found'] }),
  },
};

export const addGetCoverImage: AddRoute = (app, { lifecycle }) => {
  app.get('/covers/:id/image', { schema, config: { scope: ['rank', 'index'] } }, async (request, reply) => {
    const { index } = lifecycle.services();
    const thumbnail = index.thumbnail(request.params.id);
    if (thumbnail === undefined) throw failure('not_found', 'There is no cover with this id, or it has no picture.');
    const etag = `"${index.get(request.params.id)?.imageHash ?? ''}"`;
    // Thumbnails change with their cover only; asking again costs a header.
    reply.header('etag', etag).header('cache-control', 'private, no-cache');
    if (request.headers['if-none-match'] === etag) return reply.code(304).send();
    return reply.type(thumbnail.contentType).send(Buffer.from(thumbnail.bytes));
  });
};
