/** How much time a request has left, and a signal that fires when it has none or its caller left. */
export interface Deadline {
  readonly signal: AbortSignal;
  remainingMs(): number;
  elapsedMs(): number;
  /** One that ends `ms` sooner, and with this one; it has to be cleared too. */
  sooner(ms: number): Deadline;
  /** Ends the timer; call it when the answer is ready. */
  clear(): void;
}

/** `deadlineMs` from now. The signal's reason is a TimeoutError when the time is over, else that of `caller`. */
export function startDeadline(deadlineMs: number, caller: AbortSignal): Deadline {
  const startedAt = performance.now();
  const timeout = new AbortController();
  const expire = (): void => timeout.abort(new DOMException('The deadline passed.', 'TimeoutError'));
  // Timers count whole milliseconds and would give at least one.
  const timer = deadlineMs < 1 ? void expire() : setTimeout(expire, deadlineMs);
  const signal = AbortSignal.any([timeout.signal, caller]);
  const remainingMs = (): number => deadlineMs - (performance.now() - startedAt);
  return {
    signal,
    remainingMs,
    elapsedMs: () => performance.now() - startedAt,
    sooner: (ms) => startDeadline(remainingMs() - ms, signal),
    clear: () => clearTimeout(timer),
  };
}
