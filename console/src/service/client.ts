import type { KeyHolder } from './key.ts';
import { type Problem, ServiceError, unreadableAnswer } from './service-error.ts';

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
  async function send<T>(
    method: string,
    path: string,
    { body, query, signal }: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
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
    if (response.ok) return readBody(response, read, signal);
    const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
    throw new ServiceError(await problemOf(response), {
      hadKey,
      retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    });
  }

  return {
    call: <T>(method: string, path: string, options: CallOptions = {}) =>
      send(method, path, options, async (response) => (await response.json()) as T),
    bytes: (path, options = {}) => send('GET', path, options, (response) => response.blob()),
  };
}

/** An answer may break off on its way, or be a proxy's own page. */
async function readBody<T>(
  response: Response,
  read: (response: Response) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    return await read(response);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreadableAnswer();
  }
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
