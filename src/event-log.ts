import type { Logger } from 'pino';
import type { HappenedEvents } from './http/app-services.ts';
import type { RemoteEvent } from './inference/remote-cross-encoder.ts';
import type { CoverIndexEvent } from './store/graph/graph-client.ts';

/** Puts what the parts of the service tell into the log, and counts it for the metrics. */
export interface EventLog {
  index(event: CoverIndexEvent): void;
  rerankServer(event: RemoteEvent): void;
  modelDied(part: string, error: Error): void;
  readonly happened: HappenedEvents;
}

export function createEventLog(log: Logger): EventLog {
  const counts = new Map<string, { readonly event: string; readonly part: string; count: number }>();

  function count(event: string, part = ''): void {
    const key = `${event}/${part}`;
    const known = counts.get(key) ?? { event, part, count: 0 };
    known.count += 1;
    counts.set(key, known);
  }

  return {
    index(event) {
      count(event.event, 'thread' in event ? event.thread : '');
      logIndexEvent(log, event);
    },
    rerankServer(event) {
      count(event.event);
      logRerankEvent(log, event);
    },
    modelDied(part, error) {
      count('thread_died', part);
      log.error({ event: 'thread_died', part, err: error }, 'a model thread died and is started again');
    },
    happened: () => [...counts.values()],
  };
}

function logRerankEvent(log: Logger, happened: RemoteEvent): void {
  const { event } = happened;
  if (event === 'rerank_hash_unknown') log.warn({ event }, 'the reranking server does not tell which bundle it serves');
  else if (event === 'rerank_call_failed') log.warn({ event, err: happened.error }, 'the reranking server failed');
  else if (event === 'rerank_breaker') log.warn({ event, state: happened.state }, 'the circuit breaker changed');
  else if (happened.error === undefined) log.info({ event, state: happened.state }, 'the reranking server is there');
  else log.error({ event, state: happened.state, err: happened.error }, 'the reranking server cannot be used');
}

function logIndexEvent(log: Logger, event: CoverIndexEvent): void {
  const { event: name, ...details } = event;
  if (!('error' in details)) {
    log.info({ event: name, ...details }, 'index maintenance');
    return;
  }
  const { error, ...rest } = details;
  log.error({ event: name, ...rest, err: error }, 'the index had to help itself');
}
