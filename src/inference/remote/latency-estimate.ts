/** Learns how long calls take as a line over their size, from recent calls. */
export interface LatencyEstimate {
  readonly isKnown: boolean;
  learn(size: number, elapsedMs: number): void;
  /** Milliseconds that a call of `size` is expected to take; 0 while nothing is known. */
  of(size: number): number;
}

/** What a call's weight is after one more call: about the last twenty count. */
const DECAY = 0.95;
/** A call counts as at most so many times slower than expected: one that stalled says little of the next. */
const MOST_SURPRISE = 4;

/**
 * Least squares with weights that fade: ms = base + slope * size, both at least 0. As half of the calls take longer than
 * the line says, the mean distance of recent calls to it is added.
 */
export function createLatencyEstimate(): LatencyEstimate {
  let count = 0;
  let sizes = 0;
  let times = 0;
  let squares = 0;
  let products = 0;
  let distance = 0;

  function line(size: number): number {
    const meanSize = sizes / count;
    const meanTime = times / count;
    const variance = squares / count - meanSize ** 2;
    const covariance = products / count - meanSize * meanTime;
    // Calls of one size alone say nothing about others: taken to be proportional.
    const slope = variance < 1e-6 * meanSize ** 2 ? meanTime / meanSize : covariance / variance;
    const bounded = Math.min(Math.max(slope, 0), meanTime / meanSize);
    return meanTime + bounded * (size - meanSize);
  }

  return {
    get isKnown() {
      return count > 0;
    },
    learn(size, tookMs) {
      const elapsedMs = count === 0 ? tookMs : Math.min(tookMs, MOST_SURPRISE * (line(size) + distance));
      const surprise = count === 0 ? 0 : Math.abs(elapsedMs - line(size));
      count = DECAY * count + 1;
      sizes = DECAY * sizes + size;
      times = DECAY * times + elapsedMs;
      squares = DECAY * squares + size ** 2;
      products = DECAY * products + size * elapsedMs;
      distance = DECAY * distance + (1 - DECAY) * surprise;
    },
    of: (size) => (count === 0 ? 0 : line(size) + distance),
  };
}
