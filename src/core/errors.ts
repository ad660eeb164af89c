/**
 * Every failure a caller can meet, defined once: HTTP status, title and whether the same call may succeed later.
 * The error handler renders them as RFC 9457 problem documents and the documentation is made from this table.
 */
export const ERROR_CODES = {
  invalid_request: { status: 400, title: 'The request is not valid', retryable: false },
  unauthenticated: { status: 401, title: 'A key is required', retryable: false },
  forbidden: { status: 403, title: 'The key lacks the scope', retryable: false },
  not_found: { status: 404, title: 'Not found', retryable: false },
  method_not_allowed: { status: 405, title: 'The method is not allowed here', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  bundle_mismatch: { status: 409, title: 'The index was made by another bundle', retryable: false },
  too_large: { status: 413, title: 'Too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'The content type is not supported', retryable: false },
  undecodable_image: { status: 422, title: 'The image cannot be decoded', retryable: false },
  unsupported_image: { status: 422, title: 'The image type is not supported', retryable: false },
  image_too_large: { status: 422, title: 'The image has too many pixels', retryable: false },
  invalid_embedding: { status: 422, title: 'The embedding does not fit the bundle', retryable: false },
  fetch_forbidden: { status: 422, title: 'The image address is not allowed', retryable: false },
  fetch_failed: { status: 422, title: 'The image could not be fetched', retryable: true },
  fetch_skipped: { status: 422, title: 'The image address failed before and is left alone', retryable: true },
  fetch_refused: { status: 422, title: 'The image is not to be had at its address', retryable: false },
  overloaded: { status: 429, title: 'Too many requests are waiting', retryable: true },
  rate_limited: { status: 429, title: 'The caller made too many requests', retryable: true },
  headers_too_large: { status: 431, title: 'The headers are too large', retryable: false },
  cancelled: { status: 499, title: 'The client left', retryable: true },
  internal: { status: 500, title: 'Internal error', retryable: false },
  unavailable: { status: 503, title: 'Not available now', retryable: true },
  draining: { status: 503, title: 'The service is shutting down', retryable: true },
  deadline_exceeded: { status: 504, title: 'The deadline passed', retryable: true },
  storage_full: { status: 507, title: 'The disk is full', retryable: true },
  /** The ones below end a command or a start; no HTTP answer carries them. */
  invalid_checkpoint: { status: 500, title: 'The checkpoint cannot be read', retryable: false },
  invalid_bundle: { status: 500, title: 'The bundle cannot be loaded', retryable: false },
  invalid_config: { status: 500, title: 'The configuration is not valid', retryable: false },
  data_dir_busy: { status: 500, title: 'Another process has the data folder open', retryable: true },
  corrupt_data: { status: 500, title: 'The data folder is damaged', retryable: false },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface FieldError {
  /** JSON pointer into the request, such as `/items/3/id`. */
  readonly path: string;
  readonly message: string;
}

export interface FailureDetails {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[];
  readonly retryAfterSeconds?: number;
}

/** An error whose `detail` is fit for the caller: it never holds an address, a path, a stack or an upstream's body. */
export class CoverrankError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, detail: string, details: FailureDetails = {}) {
    super(detail, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'CoverrankError';
    this.code = code;
    this.errors = details.errors;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  get detail(): string {
    return this.message;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  get title(): string {
    return ERROR_CODES[this.code].title;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** The one way to make an error: `throw failure('not_found', 'There is no cover with this id.')`. */
export function failure(code: ErrorCode, detail: string, details?: FailureDetails): CoverrankError {
  return new CoverrankError(code, detail, details);
}

export function isFailure(error: unknown, code?: ErrorCode): error is CoverrankError {
  return error instanceof CoverrankError && (code === undefined || error.code === code);
}
