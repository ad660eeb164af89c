import { failure, isFailure } from '../../core/errors.ts';
import type { ServedModel } from './served-model.ts';

export interface ServerWatchOptions {
  /** Looks at the server; rejects with `invalid_config` when it serves another model. */
  readonly check: (signal: AbortSignal) => Promise<ServedModel>;
  readonly onChange?: (state: WatchState, error: Error | undefined) => void;
  readonly timings?: Partial<WatchTimings>;
}

/** `absent`: not reached or not ready. `wrong`: reached, and it serves something else. */
export type WatchState = 'checking' | 'serving' | 'absent' | 'wrong';

export interface WatchTimings {
  /** Milliseconds that one look may take. */
  readonly checkMs: number;
  /** Between looks at a server that serves: one that was given other weights must not go on unnoticed. */
  readonly recheckMs: number;
  /** Between looks at a server that does not. */
  readonly retryMs: number;
}

const DEFAULT_TIMINGS: WatchTimings = { checkMs: 5000, recheckMs: 10_000, retryMs: 1000 };

/** Knows at any time whether a server can be trusted with calls, and keeps looking. */
export interface ServerWatch {
  readonly state: WatchState;
  /** What is served, as of the last look that found it. */
  readonly served: ServedModel | undefined;
  /** The model, after the look that is under way if there is one. Rejects with `unavailable` when it cannot be used. */
  trusted(): Promise<ServedModel>;
  /** Looks again before anything is trusted: the connection broke, so another server may answer next. */
  distrust(): void;
  /** Looks once. Rejects with what is wrong. */
  look(): Promise<ServedModel>;
  close(): void;
}

export function createServerWatch({ check, onChange, timings }: ServerWatchOptions): ServerWatch {
  const { checkMs, recheckMs, retryMs } = { ...DEFAULT_TIMINGS, ...timings };
  const closing = new AbortController();
  let state: WatchState = 'checking';
  let served: ServedModel | undefined;
  let looking: Promise<ServedModel> | undefined;
  let timer: NodeJS.Timeout | undefined;

  function move(next: WatchState, error?: Error): void {
    if (state === next) return;
    state = next;
    onChange?.(next, error);
  }

  function look(): Promise<ServedModel> {
    clearTimeout(timer);
    looking ??= lookOnce()
      .then(
        (found) => {
          served = found;
          move('serving');
          return found;
        },
        (error: Error) => {
          served = undefined;
          if (!closing.signal.aborted) move(isFailure(error, 'invalid_config') ? 'wrong' : 'absent', error);
          throw error;
        },
      )
      .finally(() => {
        looking = undefined;
        lookLater();
      });
    return looking;
  }

  async function lookOnce(): Promise<ServedModel> {
    // Not `AbortSignal.timeout`: joined with another signal it may be collected as garbage before it fires.
    const late = new AbortController();
    const timeout = setTimeout(() => late.abort(), checkMs);
    try {
      return await check(AbortSignal.any([closing.signal, late.signal]));
    } finally {
      clearTimeout(timeout);
    }
  }

  function lookLater(): void {
    if (closing.signal.aborted) return;
    timer = setTimeout(lookQuietly, state === 'serving' ? recheckMs : retryMs).unref();
  }

  function lookQuietly(): void {
    // `onChange` was told, and the next look is due.
    look().catch(() => {});
  }

  return {
    get state() {
      return state;
    },
    get served() {
      return served;
    },
    async trusted() {
      if (served !== undefined) return served;
      if (looking === undefined) throw notThere(state);
      return looking.catch((cause: Error) => {
        throw notThere(state, cause);
      });
    },
    distrust() {
      served = undefined;
      lookQuietly();
    },
    look,
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

function notThere(state: WatchState, cause?: Error): Error {
  const detail =
    state === 'wrong' ? 'The reranking server serves another model.' : 'The reranking server is not there.';
  return failure('unavailable', detail, { cause });
}
