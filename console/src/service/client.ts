import type { KeyHolder } from './key.ts';
import { type Problem, ServiceError } from './service-error.ts';

export interface CallOptions {
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** The service that this page comes from. Every call rejects with a ServiceError, or an AbortError. */
export interface ServiceClient {
  call<T>(method: string, path: string, options?: CallOptions): Promise<T>;
  /** The body as it comes. */
  bytes(path: string, options?: CallOptions): Promise<Blob>;
}

export function createServiceClient({ key }: KeyHolder): ServiceClient {
  async function send(method: string, path: string, { body, query, signal }: CallOptions): Promise<Response> {
    const address = query === undefined ? path : `${path}?${new URLSearchParams(query)}`;
    const hadKey = key.value !== '';
    let response: Response;
    try {
      response = await fetch(address, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(hadKey ? { authorization: `Bearer ${key.value}` } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ServiceError({ code: 'network', detail: '' }, { hadKey });
    }
    if (response.ok) return response;
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new ServiceError(await problemOf(response), {
      hadKey,
      retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    });
  }

  return {
    async call<T>(method: string, path: string, options: CallOptions = {}) {
      return (await (await send(method, path, options)).json()) as T;
    },
    bytes: async (path, options = {}) => (await send('GET', path, options)).blob(),
  };
}

/** A proxy in between may answer with something else. */
async function problemOf(response: Response): Promise<Problem> {
  const problem: unknown = await response.json().catch(() => undefined);
  if (typeof problem === 'object' && problem !== null && 'code' in problem) return problem as Problem;
  return { code: 'other', detail: `HTTP ${response.status}` };
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
