import autocannon from 'autocannon';
import { failureReason } from './client.ts';
import type { RankRequest } from './mix.ts';
import type { RankRecorder } from './recorder.ts';
import type { RankKind } from './report.ts';

export interface ClosedLoopOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  readonly timeoutMs: number;
}

/** What autocannon carries from a request's making to its answer, one object per connection. */
interface Sent {
  kind: RankKind;
  sentAt: number;
}

/**
 * Each connection sends its next request when the last was answered. Requests on their way at the end are dropped, so
 * at most one per connection is missing from the counts.
 */
export async function runClosedLoop(
  next: () => RankRequest,
  recorder: RankRecorder,
  { url, headers, connections, seconds, timeoutMs }: ClosedLoopOptions,
): Promise<void> {
  const requests: autocannon.Request[] = [
    {
      method: 'POST',
      path: '/rank',
      headers: { ...headers, 'content-type': 'application/json' },
      setupRequest(request, context) {
        const { kind, body } = next();
        Object.assign(context, { kind, sentAt: performance.now() } satisfies Sent);
        return { ...request, body };
      },
      onResponse(status, body, context, responseHeaders) {
        const { kind, sentAt } = context as Sent;
        const latencyMs = performance.now() - sentAt;
        const serverTiming = header(responseHeaders ?? {}, 'server-timing');
        recorder.answered({ kind, status, latencyMs, serverTiming, body });
      },
    },
  ];
  await new Promise<void>((resolve, reject) => {
    const run = autocannon(
      { url, connections, duration: seconds, timeout: timeoutMs / 1000, requests },
      (error: unknown) => (error ? reject(error) : resolve()),
    );
    // The event does not say which request it was.
    run.on('reqError', (error) => recorder.failed(failureReason(error)));
  });
}

/** autocannon gives header names as they came. */
function header(headers: Readonly<Record<string, string | string[] | undefined>>, name: string): string | undefined {
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return Array.isArray(value) ? value.join(', ') : value;
}
