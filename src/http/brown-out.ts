/**
 * Fewer covers are reranked before a request is refused: the cross-encoder is what most of a ranking's cost goes into,
 * and a ranking in recall order is better than none.
 */
export interface BrownOut {
  /**
   * Takes down how much of its time a request has spent waiting for a place (0 to 1), and answers which share of the
   * covers that it wants reranked the service can afford now: 1 unless there is a standing queue.
   */
  admit(waitedShare: number): number;
  /** The share that the next request would get. */
  readonly share: number;
}

/** A wait that every request of an interval had is a standing queue; a burst has drained within one. */
const INTERVAL_MS = 100;
/** Waiting may take so much of a request's time; with the usual 500 ms a tenth of a second. */
const TARGET_SHARE = 0.2;
const FALL = 0.7;
const RISE = 0.1;
/** A few covers are reranked even then, so that the best ones are in the right order. */
const LEAST_SHARE = 1 / 16;

/**
 * CoDel's way of telling a bad queue from a good one (the least wait within an interval, RFC 8289), with TCP's way of
 * sharing out (fall by a factor, rise by a step). Waits are measured against each request's own deadline, so that there
 * is no number to tune for a machine or a model. `now` gives milliseconds.
 */
export function createBrownOut(now: () => number = () => performance.now()): BrownOut {
  let share = 1;
  let startedAt = now();
  let leastWait = Number.POSITIVE_INFINITY;

  /** Closes the intervals that are over; those in which nobody came had no queue. */
  function settle(): void {
    const passed = Math.floor((now() - startedAt) / INTERVAL_MS);
    if (passed < 1) return;
    const queueStands = leastWait > TARGET_SHARE && leastWait !== Number.POSITIVE_INFINITY;
    if (queueStands) share = Math.max(LEAST_SHARE, share * FALL);
    share = Math.min(1, share + RISE * (queueStands ? passed - 1 : passed));
    startedAt += passed * INTERVAL_MS;
    leastWait = Number.POSITIVE_INFINITY;
  }

  return {
    admit(waitedShare) {
      settle();
      leastWait = Math.min(leastWait, waitedShare);
      return share;
    },
    get share() {
      settle();
      return share;
    },
  };
}
