import { type Static, type TSchema, Type } from 'typebox';
import { ERROR_CODES, type ErrorCode } from '../../core/errors.ts';
import type { Attributes } from '../../core/types.ts';
import { LIMITS } from '../limits.ts';
import { HTTP_CODES, PROBLEM_TYPE, problemType } from '../problem.ts';

/** An object that takes only the fields it names. */
export function strict<P extends Record<string, TSchema>>(properties: P, options: Record<string, unknown> = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** A JSON object from any name to one kind of value. */
export function mapOf<S extends TSchema>(value: S, options: Record<string, unknown> = {}) {
  return Type.Unsafe<Record<string, Static<S>>>({ type: 'object', additionalProperties: value, ...options });
}

/** A reference to a schema that the application knows by `$id`. */
export function refTo<T>($id: string) {
  return Type.Unsafe<T>({ $ref: `${$id}#` });
}

export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

export const RequestId = Type.String({ description: 'The id of the request, as in the header X-Request-Id.' });

export const CoverId = Type.String({
  minLength: 1,
  maxLength: LIMITS.coverIdBytes,
  description: `Id of a cover: 1 to ${LIMITS.coverIdBytes} bytes of UTF-8.`,
});

/** A query before it is trimmed; its length counts after that (see `trimmedQuery`). */
export const Query = Type.String({
  minLength: 1,
  pattern: '\\S',
  description: `1 to ${LIMITS.queryCharacters} characters (Unicode code points) after trimming.`,
  examples: ['红烧肉的家常做法'],
});

export const ModelRefSchema = strict({
  name: Type.String({ examples: ['demo'] }),
  hash: Type.String({ description: 'sha256 over everything that the bundle holds.' }),
});

export const Signals = mapOf(Type.Number(), {
  description: 'Named scores of one query and one cover.',
  examples: [{ cosine: 0.41, ocr_presence: 0.98 }],
});

export const AttributesSchema = Type.Unsafe<Attributes>(
  mapOf(Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]), {
    description: 'What is known of a cover, for filters.',
    examples: [{ channel: 'food', duration: 31 }],
  }),
);

export const ItemProblemSchema = strict({
  code: Type.Enum([...HTTP_CODES]),
  detail: Type.String(),
  retryable: Type.Boolean(),
});

export const ProblemSchema = strict(
  {
    type: Type.String({ examples: [problemType('invalid_request')] }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String(),
    code: Type.Enum([...HTTP_CODES]),
    request_id: RequestId,
    retryable: Type.Boolean({ description: 'Whether the same call may succeed later.' }),
    errors: Type.Optional(
      Type.Array(
        strict({
          path: Type.String({ description: 'JSON pointer into the request.', examples: ['/recall_k'] }),
          message: Type.String(),
        }),
      ),
    ),
    parts: Type.Optional(
      Type.Array(refTo<HealthPartBody>('HealthPart'), { description: 'Only from /readyz?verbose: every part.' }),
    ),
  },
  { $id: 'Problem', description: 'An RFC 9457 problem document.', examples: [exampleOf('invalid_request')] },
);

export const HealthPartSchema = strict(
  {
    name: Type.String(),
    ready: Type.Boolean(),
    required: Type.Boolean({ description: 'Whether /rank cannot be answered without it.' }),
    detail: Type.String(),
  },
  { $id: 'HealthPart' },
);
export type HealthPartBody = Static<typeof HealthPartSchema>;

/** Codes that any route may answer with; those with a key, a body or services add theirs. */
const ALWAYS = ['invalid_request', 'internal'] as const satisfies readonly ErrorCode[];
const KEYED = ['unauthenticated', 'forbidden', 'rate_limited'] as const satisfies readonly ErrorCode[];
const WORKING = ['unavailable', 'draining'] as const satisfies readonly ErrorCode[];
const WITH_BODY = ['too_large', 'unsupported_media_type', 'request_timeout'] as const satisfies readonly ErrorCode[];

/** The error answers of a route that works with the services, by status, as `response` of its schema wants them. */
export function problems(options: { body?: boolean; codes?: readonly ErrorCode[] } = {}): Record<number, ResponseBody> {
  return problemsFor([...ALWAYS, ...KEYED, ...WORKING, ...(options.body ? WITH_BODY : []), ...(options.codes ?? [])]);
}

export function problemsFor(codes: readonly ErrorCode[]): Record<number, ResponseBody> {
  const statuses = new Set(codes.map((code) => ERROR_CODES[code].status));
  const withStatus = (status: number) => [...new Set(codes)].filter((code) => ERROR_CODES[code].status === status);
  return Object.fromEntries([...statuses].map((status) => [status, problemBody(withStatus(status))]));
}

export interface ResponseBody {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
}

/** A 2xx answer in a content type other than plain JSON, or one that needs words. */
export function answer(description: string, schema: TSchema, contentType = 'application/json'): ResponseBody {
  return { description, content: { [contentType]: { schema } } };
}

function problemBody(codes: readonly ErrorCode[]): ResponseBody {
  const status = codes[0] === undefined ? 500 : ERROR_CODES[codes[0]].status;
  const retryAfter = { type: 'integer', minimum: 1, description: 'Seconds after which to come again.' };
  return {
    ...(status === 429 || status === 503 ? { headers: { 'Retry-After': retryAfter } } : {}),
    description: codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}.`).join(' '),
    content: { [PROBLEM_TYPE]: { schema: refTo('Problem') } },
  };
}

function exampleOf(code: ErrorCode): Record<string, unknown> {
  const { status, title, retryable } = ERROR_CODES[code];
  const request_id = '0f4c6c1e-6f0c-4c53-8f0a-0d1a3e0f9b7d';
  const errors = [{ path: '/recall_k', message: 'must be >= top_n (20)' }];
  return { type: problemType(code), title, status, detail: `${title}.`, code, request_id, retryable, errors };
}
