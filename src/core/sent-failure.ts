import { type CoverrankError, type ErrorCode, type FieldError, failure } from './errors.ts';

/** A failure as a value that is sent from one thread to another, where errors lose what they are. */
export interface SentFailure {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
}

export function sendFailure({ code, detail, errors }: CoverrankError): SentFailure {
  return { code, detail, ...(errors === undefined ? {} : { errors }) };
}

export function receiveFailure({ code, detail, errors }: SentFailure): CoverrankError {
  return failure(code, detail, errors === undefined ? {} : { errors });
}
