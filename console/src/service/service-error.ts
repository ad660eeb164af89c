/** What the service says of a request that failed, in the form of RFC 9457. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly request_id?: string;
  readonly retryable?: boolean;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/**
 * A call that did not end in an answer. Beside the service's own codes: `network`, where it could not be reached at
 * all; `unreadable_answer`; and `unreadable_file`, where what should be sent cannot be read.
 */
export class ServiceError extends Error {
  readonly problem: Problem;
  readonly retryAfterSeconds: number | undefined;
  /** Whether a key went with the request. */
  readonly hadKey: boolean;

  constructor(problem: Problem, options: { hadKey: boolean; retryAfterSeconds?: number | undefined }) {
    super(problem.detail);
    this.problem = problem;
    this.hadKey = options.hadKey;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** What was caught, as something that can be shown: nothing that fails may leave a view waiting without a word. */
export function asServiceError(caught: unknown): ServiceError {
  if (caught instanceof ServiceError) return caught;
  const detail = caught instanceof Error ? caught.message : String(caught);
  return new ServiceError({ code: 'other', detail }, { hadKey: false });
}

/** Something came, but not what the service says. */
export function unreadableAnswer(): ServiceError {
  return new ServiceError({ code: 'unreadable_answer', detail: '', retryable: true }, { hadKey: false });
}
