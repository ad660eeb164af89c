/** How much time a request has left, and a signal that fires when it has none or its caller left. */
export interface Deadline {
  readonly signal: AbortSignal;
  remainingMs(): number;
  elapsedMs(): number;
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
  return {
    signal: AbortSignal.any([timeout.signal, caller]),
    remainingMs: () => deadlineMs - (performance.now() - startedAt),
    elapsedMs: () => performance.now() - startedAt,
    clear: () => clearTimeout(timer),
  };
}
