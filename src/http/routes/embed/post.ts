import { failure, isFailure } from '../../../core/errors.ts';
import type { AppServices } from '../../app-services.ts';
import { holdPlace, workSignal } from '../../client-signal.ts';
import { LIMITS, TIMEOUTS } from '../../limits.ts';
import { bytesOf } from '../../pictures/picture-body.ts';
import { takePictureBodies } from '../../pictures/take-picture-bodies.ts';
import type { AddRoute } from '../../route.ts';
import { answer, problems } from '../../schemas/common.ts';
import { EmbedAnswer, EmbedBody, ParsedEmbedBody } from '../../schemas/inference.ts';
import { queryErrors } from '../rank/parse.ts';

const schema = {
  operationId: 'embed',
  tags: ['ranking'],
  summary: 'Embeddings of texts or pictures',
  description: 'Vectors of both kinds lie in the same space: their dot product is the cosine that recall goes by.',
  body: ParsedEmbedBody,
  response: {
    200: answer('The embeddings, in request order.', EmbedAnswer),
    ...problems({
      body: true,
      codes: ['undecodable_image', 'unsupported_image', 'image_too_large', 'overloaded', 'deadline_exceeded'],
    }),
  },
};

export const addEmbed: AddRoute = (app, { lifecycle, gates, config }) => {
  takePictureBodies(app, config.limits.image_max_bytes);
  app.post(
    '/embed',
    { schema, config: { scope: 'rank', work: 'rank', documentedBody: EmbedBody }, bodyLimit: LIMITS.imageBodyBytes },
    async (request, reply) => {
      const embed = parseEmbed(request.body);
      const services = lifecycle.services();
      const signal = workSignal(reply, TIMEOUTS.handlerMs);
      await holdPlace(gates.rank, reply, signal);
      request.raw.socket.setTimeout?.(0);
      const { embeddings, model } = await embed(services, signal);
      return { request_id: request.id, embeddings: embeddings.map((vector) => [...vector]), model: { ...model } };
    },
  );
};

type Embed = (
  services: AppServices,
  signal: AbortSignal,
) => Promise<{ embeddings: readonly Float32Array[]; model: { readonly name: string; readonly hash: string } }>;

function parseEmbed(body: ParsedEmbedBody): Embed {
  if ('texts' in body) return embedTexts(body.texts.map((text) => text.trim()));
  return embedImages(body.images_base64.map(bytesOf));
}

function embedTexts(texts: readonly string[]): Embed {
  const errors = texts.flatMap((text, position) => queryErrors(text, `/texts/${position}`));
  if (errors.length > 0) throw failure('invalid_request', 'The request does not have the right form.', { errors });
  return async ({ queryEncoder }, signal) => {
    const encoded = await Promise.all(texts.map((text) => queryEncoder.encode(text, signal)));
    return { embeddings: encoded.map(({ embedding }) => embedding), model: queryEncoder.model };
  };
}

function embedImages(images: readonly Uint8Array[]): Embed {
  return async ({ coverEncoder }, signal) => {
    const encoded = await Promise.all(
      images.map((bytes, position) =>
        coverEncoder.encode(bytes, signal).catch((error: unknown) => {
          throw namingInput(error, `/images_base64/${position}`);
        }),
      ),
    );
    return { embeddings: encoded.map(({ features }) => features.embedding), model: coverEncoder.model };
  };
}

/** The same failure, telling which input it is about. */
function namingInput(error: unknown, path: string): unknown {
  if (!isFailure(error) || error.status !== 422) return error;
  return failure(error.code, error.detail, { cause: error, errors: [{ path, message: error.detail }] });
}
