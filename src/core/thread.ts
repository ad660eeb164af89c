import { type MessagePort, parentPort, type Transferable, Worker, workerData } from 'node:worker_threads';
import { CoverrankError, type ErrorCode, type FieldError, failure } from './errors.ts';

/**
 * Calls to a worker thread that owns something which must not block the event loop or be shared: a loaded model, the
 * graph. A pool library would not do, since each thread is the one owner of its state: its death has to be seen by
 * whoever can rebuild that state.
 *
 * Both ends agree on an interface whose methods take one plain value and return a promise of one.
 */
export type ThreadMethods = Readonly<Record<string, (argument: never) => unknown>>;

type Argument<F> = F extends (argument: infer A) => unknown ? A : never;
type Answer<F> = F extends (argument: never) => infer R ? Awaited<R> : never;

/** A value whose buffers move to the other thread in place of being copied. */
export interface Moved<T> {
  readonly value: T;
  readonly transfer: Transferable[];
}

interface Request {
  readonly call: number;
  readonly method: string;
  readonly argument: unknown;
}

type Reply =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: SerialisedError }
  | { readonly ready: true }
  | { readonly failed: SerialisedError };

interface SerialisedError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly errors?: readonly FieldError[];
  readonly stack: string | undefined;
}

export interface Thread<M extends ThreadMethods> {
  call<K extends keyof M & string>(
    method: K,
    argument: Argument<M[K]>,
    transfer?: Transferable[],
  ): Promise<Answer<M[K]> extends Moved<infer T> ? T : Answer<M[K]>>;
  /** Settles when the thread ends by itself (never by `close`), with what ended it. */
  readonly died: Promise<CoverrankError>;
  close(): Promise<void>;
}

/** Starts the module at `url` in a thread of its own and waits until its `serveThread` says it is ready. */
export async function startThread<M extends ThreadMethods>(
  url: URL,
  data: unknown,
  options: { readonly name: string },
): Promise<Thread<M>> {
  const worker = new Worker(url, { workerData: data, name: options.name });
  const pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let lastCall = 0;
  let closing = false;
  let ended: CoverrankError | undefined;
  let announceDeath: (error: CoverrankError) => void = () => {};
  const died = new Promise<CoverrankError>((resolve) => {
    announceDeath = resolve;
  });

  const end = (cause: unknown): void => {
    if (ended !== undefined) return;
    ended = failure('unavailable', `The ${options.name} thread ended.`, { cause });
    for (const { reject } of pending.values()) reject(ended);
    pending.clear();
    if (!closing) announceDeath(ended);
  };

  const settle = (reply: Reply): void => {
    if (!('call' in reply)) return;
    const waiting = pending.get(reply.call);
    pending.delete(reply.call);
    if (pending.size === 0) worker.unref();
    if ('error' in reply) waiting?.reject(revive(reply.error));
    else waiting?.resolve(reply.value as never);
  };

  await new Promise<void>((resolve, reject) => {
    worker.on('message', (reply: Reply) => {
      if ('ready' in reply) resolve();
      else if ('failed' in reply) reject(revive(reply.failed));
      else settle(reply);
    });
    // A reply for which there was no memory: whose it was is not told, so that all who wait are.
    worker.once('messageerror', () => void worker.terminate());
    worker.once('error', (error) => {
      end(error);
      reject(error);
    });
    worker.once('exit', (code) => {
      end(new Error(`exit code ${code}`));
      reject(ended);
    });
  });
  // An idle thread does not keep a command-line process alive; a call under way does.
  worker.unref();

  return {
    died,
    call(method, argument, transfer = []) {
      if (ended !== undefined) return Promise.reject(ended);
      const call = ++lastCall;
      return new Promise((resolve, reject) => {
        pending.set(call, { resolve, reject });
        worker.ref();
        worker.postMessage({ call, method, argument } satisfies Request, transfer);
      });
    },
    async close() {
      closing = true;
      await worker.terminate();
    },
  };
}

/** The thread's end: `create` gets the data given to `startThread` and returns the methods once they can be called. */
export async function serveThread<D>(create: (data: D) => Promise<ThreadMethods> | ThreadMethods): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('serveThread runs inside a worker thread');
  try {
    const methods = await create(workerData as D);
    port.on('message', (request: Request) => void answer(port, methods, request));
    // Likewise for a request. The thread ends, and whoever owns it hears so.
    port.on('messageerror', (error) => {
      throw error;
    });
    port.postMessage({ ready: true } satisfies Reply);
  } catch (error) {
    port.postMessage({ failed: serialise(error) } satisfies Reply);
  }
}

export function moved<T>(value: T, transfer: Transferable[]): Moved<T> {
  return { value, transfer };
}

async function answer(port: MessagePort, methods: ThreadMethods, { call, method, argument }: Request): Promise<void> {
  try {
    const run = methods[method] as ((argument: unknown) => unknown) | undefined;
    if (run === undefined) throw new Error(`the thread has no method ${method}`);
    const value = await run(argument);
    if (isMoved(value)) port.postMessage({ call, value: value.value } satisfies Reply, value.transfer);
    else port.postMessage({ call, value } satisfies Reply);
  } catch (error) {
    port.postMessage({ call, error: serialise(error) } satisfies Reply);
  }
}

function isMoved(value: unknown): value is Moved<unknown> {
  return typeof value === 'object' && value !== null && 'value' in value && 'transfer' in value;
}

function serialise(error: unknown): SerialisedError {
  if (error instanceof CoverrankError) {
    const { code, message, stack, errors } = error;
    return { code, message, stack, ...(errors === undefined ? {} : { errors }) };
  }
  if (error instanceof Error) return { code: undefined, message: error.message, stack: error.stack };
  return { code: undefined, message: String(error), stack: undefined };
}

function revive({ code, message, stack, errors }: SerialisedError): Error {
  const details = errors === undefined ? {} : { errors };
  const error = code === undefined ? new Error(message) : failure(code, message, details);
  if (stack !== undefined) error.stack = stack;
  return error;
}
