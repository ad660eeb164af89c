import { failure } from './errors.ts';

/** The failure that a fired signal stands for: `deadline_exceeded` for a time-out, otherwise `cancelled`. */
export function abortFailure(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  if (!(reason instanceof Error) || reason.name === 'AbortError') return failure('cancelled', 'The caller left.');
  return reason.name === 'TimeoutError' ? failure('deadline_exceeded', 'The deadline passed.') : reason;
}

/** Resolves like `work` unless the signal fires first; then it rejects at once and the work's outcome is dropped. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => {});
    return Promise.reject(abortFailure(signal));
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortFailure(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
