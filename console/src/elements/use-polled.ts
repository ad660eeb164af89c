import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useConsole } from '../console-context.ts';
import { isAbort } from '../service/client.ts';
import { ServiceError } from '../service/service-error.ts';

export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: ServiceError | undefined;
}

/** Asking again with the same key would only be refused again. */
const NEEDS_OTHER_KEY: ReadonlySet<string> = new Set(['unauthenticated', 'forbidden']);

/** What `path` answers, asked again every `everyMs` while the page can be seen, and at once with another key. */
export function usePolled<T>(path: string, everyMs: number): Polled<T> {
  const { client, keys } = useConsole();
  const polled = useSignal<Polled<T>>({ value: undefined, error: undefined });
  const key = keys.key.value;
  useEffect(() => {
    const left = new AbortController();
    const look = async (): Promise<void> => {
      if (document.hidden) return;
      try {
        polled.value = { value: await client.call<T>('GET', path, { signal: left.signal }), error: undefined };
      } catch (caught) {
        if (isAbort(caught)) return;
        if (!(caught instanceof ServiceError)) throw caught;
        polled.value = { value: undefined, error: caught };
        if (NEEDS_OTHER_KEY.has(caught.problem.code)) clearInterval(timer);
      }
    };
    const timer = setInterval(() => void look(), everyMs);
    void look();
    return () => {
      clearInterval(timer);
      left.abort();
    };
  }, [client, everyMs, key, path, polled]);
  return polled.value;
}
