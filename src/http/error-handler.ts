import type {
  FastifyBaseLogger,
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError,
} from 'fastify';
import { type CoverrankError, type ErrorCode, type FieldError, failure, isFailure } from '../core/errors.ts';
import { type ItemProblem, PROBLEM_TYPE, problemOf } from './problem.ts';

/** The one place where an error becomes an answer. */
export function addErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(toFailure(error), request, reply));
}

/** Statuses that always carry Retry-After: whoever gets one should come again. */
const COMES_BACK: ReadonlySet<number> = new Set([429, 503]);

/** Renders the failure; those of the service itself are logged with their cause and tell the client nothing of it. */
export function sendProblem(error: CoverrankError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.code === 'internal') request.log.error({ event: 'request_failed', err: error.cause ?? error });
  else request.log.debug({ event: 'request_refused', code: error.code, detail: error.detail });
  const retryAfterSeconds = error.retryAfterSeconds ?? (COMES_BACK.has(error.status) ? 1 : undefined);
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  // The connection leads to an instance that is leaving; the next request should find another.
  if (error.code === 'draining') reply.header('connection', 'close');
  return reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemOf(error, request.id)));
}

/**
 * How an item of a larger request tells its own failure. One of the service itself is logged as a request's is, unless that
 * was done before and no `log` is given.
 */
export function itemProblem(error: CoverrankError, log?: FastifyBaseLogger): ItemProblem {
  const { code, detail, retryable, cause } = toFailure(error);
  if (code === 'internal') log?.error({ event: 'item_failed', err: cause ?? error });
  return { code, detail, retryable };
}

/** Every error as one of ours. Codes that only a command may meet count as internal when a request meets them. */
export function toFailure(error: unknown): CoverrankError {
  if (isFailure(error)) {
    return error.status === 500 && error.code !== 'internal' ? internal(error) : error;
  }
  if (isFastifyError(error)) {
    if (error.validation !== undefined) {
      return failure('invalid_request', 'The request does not have the right form.', {
        errors: fieldErrors(error.validation, error.validationContext),
      });
    }
    const known = FRAMEWORK_ERRORS[error.code];
    if (known !== undefined) return failure(known.code, known.detail, { cause: error });
    // JSON that does not parse, or that would set a prototype, arrives as a SyntaxError with a status.
    if (error.statusCode === 400) {
      return failure('invalid_request', 'The body is not valid JSON.', { cause: error });
    }
    // From what serves the documentation's files, for a path that leaves their folder.
    if (error.statusCode === 403 || error.statusCode === 404) {
      return failure('not_found', 'There is nothing at this address.', { cause: error });
    }
  }
  return internal(error);
}

function internal(cause: unknown): CoverrankError {
  return failure('internal', 'Something went wrong in the service. Its log has the details under this request id.', {
    cause,
  });
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && ('statusCode' in error || 'validation' in error);
}

const FRAMEWORK_ERRORS: Readonly<Record<string, { readonly code: ErrorCode; readonly detail: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'too_large', detail: 'The body is larger than this route takes.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported_media_type', detail: 'This route does not take that type.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'invalid_request', detail: 'The body is empty.' },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'invalid_request', detail: 'The body is not valid JSON.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'invalid_request', detail: 'Content-Length and body differ.' },
  FST_ERR_BAD_URL: { code: 'invalid_request', detail: 'The path is not a valid percent-encoded address.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'invalid_request', detail: 'The id in the path is too long.' },
};

/**
 * What is wrong, by JSON pointer. Of a choice (`anyOf`) only the choice itself is told: that the value is also none of
 * each single branch helps nobody.
 */
function fieldErrors(errors: readonly FastifySchemaValidationError[], context: string | undefined): FieldError[] {
  const choice = errors.find((error) => error.keyword === 'anyOf');
  const told = choice === undefined ? errors : [choice];
  const prefix = context === undefined || context === 'body' ? '' : `/${context}`;
  return told.map((error) => ({ path: `${prefix}${pathOf(error)}`, message: messageOf(error) }));
}

/** Ajv names the object for a field that is missing or unknown; a client wants the field. */
function pathOf({ instancePath, params }: FastifySchemaValidationError): string {
  const field = params['missingProperty'] ?? params['additionalProperty'];
  return typeof field === 'string' ? `${instancePath}/${escapePointer(field)}` : instancePath;
}

function messageOf(error: FastifySchemaValidationError): string {
  switch (error.keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
      return 'is not a known field';
    case 'enum':
      return `must be one of ${(error.params['allowedValues'] as readonly unknown[]).join(', ')}`;
    case 'anyOf':
      return 'has none of the forms that are allowed here';
    default:
      return error.message ?? 'is not valid';
  }
}

export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
