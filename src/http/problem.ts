import { type CoverrankError, ERROR_CODES, type ErrorCode, type FieldError } from '../core/errors.ts';
import { LIMITS } from './limits.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** An RFC 9457 problem document with our members. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly request_id: string;
  readonly retryable: boolean;
  readonly errors?: readonly FieldError[];
}

/** How one item of a larger request tells that it failed. */
export interface ItemProblem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryable: boolean;
}

export function problemOf(error: CoverrankError, requestId: string): Problem {
  return {
    type: problemType(error.code),
    title: error.title,
    status: error.status,
    detail: error.detail,
    code: error.code,
    request_id: requestId,
    retryable: error.retryable,
    ...(error.errors === undefined ? {} : { errors: error.errors.slice(0, LIMITS.fieldErrors) }),
  };
}

/** A name, not an address: it stays the same wherever the service runs. */
export function problemType(code: ErrorCode): string {
  return `urn:coverrank:error:${code}`;
}

/** Codes that an HTTP answer may carry; the others end a command or a start. */
export const HTTP_CODES = (Object.keys(ERROR_CODES) as ErrorCode[]).filter(
  (code) => !['invalid_checkpoint', 'invalid_bundle', 'invalid_config', 'data_dir_busy', 'corrupt_data'].includes(code),
);
