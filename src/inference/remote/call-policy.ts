import {
  CircuitState,
  CountBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  isBrokenCircuitError,
  retry,
  wrap,
} from 'cockatiel';
import { failure } from '../../core/errors.ts';

export interface CallPolicyOptions {
  /** Whether the same call may succeed when it is made again at once. */
  readonly isTransient: (error: Error) => boolean;
  /** Whether the error speaks against the server. */
  readonly isFault: (error: Error) => boolean;
  readonly onBreakerChange?: (state: BreakerState) => void;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Guards idempotent calls to a server that may be ill. */
export interface CallPolicy {
  /** Rejects with `unavailable` at once while the breaker is open. */
  run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>;
  readonly breaker: BreakerState;
  readonly retries: number;
}

/** The breaker opens when half of so many calls were faults. */
const BREAKER_WINDOW = { threshold: 0.5, size: 20, minimumNumberOfCalls: 5 } as const;
/** Milliseconds until an open breaker lets one call try; doubled by each that fails. */
const BREAKER_PAUSE_MS = { first: 500, longest: 8000 } as const;
/** A retry waits a random part of this, so that those that failed together do not come back together. */
const RETRY_JITTER_MS = 10;
/** Retries are at most this share of calls; when everything fails they would only double the load. */
const RETRY_SHARE = 0.1;
const MAX_SAVED_RETRIES = 10;

/** One retry a call within a budget, and a circuit breaker around it. */
export function createCallPolicy({ isTransient, isFault, onBreakerChange }: CallPolicyOptions): CallPolicy {
  let retries = 0;
  let budget = 1;
  const retrying = retry(
    handleWhen((error) => isTransient(error) && budget >= 1),
    { maxAttempts: 1, backoff: new DelegateBackoff(() => Math.random() * RETRY_JITTER_MS) },
  );
  retrying.onRetry(() => {
    budget -= 1;
    retries += 1;
  });
  const breaker = circuitBreaker(handleWhen(isFault), {
    // The library would measure the pause by the time of day, which may jump: it is measured below.
    halfOpenAfter: new DelegateBackoff(() => Number.NEGATIVE_INFINITY),
    breaker: new CountBreaker(BREAKER_WINDOW),
  });
  let pauseMs = 0;
  let pausedUntil = 0;
  breaker.onStateChange(() => {
    const state = stateOf(breaker.state);
    if (state === 'closed') pauseMs = 0;
    if (state === 'open') {
      pauseMs = Math.min(BREAKER_PAUSE_MS.longest, Math.max(BREAKER_PAUSE_MS.first, 2 * pauseMs));
      pausedUntil = performance.now() + pauseMs;
    }
    onBreakerChange?.(state);
  });
  const guarded = wrap(breaker, retrying);

  return {
    async run(call, signal) {
      // The library would have callers wait for the one that tries; a deadline is better spent without.
      const state = stateOf(breaker.state);
      if (state === 'half_open' || (state === 'open' && performance.now() < pausedUntil)) throw openFailure();
      budget = Math.min(MAX_SAVED_RETRIES, budget + RETRY_SHARE);
      try {
        return await guarded.execute(call, signal);
      } catch (error) {
        throw isBrokenCircuitError(error) ? openFailure(error) : error;
      }
    },
    get breaker() {
      return stateOf(breaker.state);
    },
    get retries() {
      return retries;
    },
  };
}

function stateOf(state: CircuitState): BreakerState {
  if (state === CircuitState.Closed) return 'closed';
  return state === CircuitState.HalfOpen ? 'half_open' : 'open';
}

function openFailure(cause?: unknown): Error {
  return failure('unavailable', 'The reranking server failed repeatedly and is left alone for a while.', { cause });
}
