/** What runs of a graph cost, as a line over their pairs: a part for the run itself and a part for each pair. */
export interface RunCost {
  readonly isKnown: boolean;
  /** Sets the line from a run of one pair and a run of `pairs`, both in milliseconds. */
  calibrate(oneMs: number, pairs: number, manyMs: number): void;
  /** Follows the machine's speed. The line keeps its shape, which runs of nearly one size cannot tell. */
  learn(pairs: number, elapsedMs: number): void;
  /** Milliseconds that a run of `pairs` is expected to take; 0 while nothing is known. */
  of(pairs: number): number;
  /** Pairs of the run that takes `targetMs`, or up to thrice that where the run itself would be more than `share` of it. */
  pairsFor(targetMs: number, share: number): number;
}

/** Weight of the newest run in the running mean of the machine's speed. */
const SMOOTHING = 0.2;
const MOST_TARGETS = 3;
/** A run counts as at most so many times slower than those before it: one that stalled says little of the next. */
const MOST_SURPRISE = 4;

export function createRunCost(): RunCost {
  let runMs = 0;
  let pairMs = 0;
  /** Time taken over what the line says. */
  let slowness = 1;

  return {
    get isKnown() {
      return pairMs > 0;
    },
    calibrate(oneMs, pairs, manyMs) {
      pairMs = pairs > 1 && manyMs > oneMs ? Math.min(oneMs, (manyMs - oneMs) / (pairs - 1)) : manyMs / pairs;
      runMs = Math.max(0, oneMs - pairMs);
      slowness = 1;
    },
    learn(pairs, elapsedMs) {
      if (pairMs === 0) pairMs = elapsedMs / pairs;
      else {
        const seen = elapsedMs / (runMs + pairMs * pairs);
        slowness += SMOOTHING * (Math.min(seen, MOST_SURPRISE * slowness) - slowness);
      }
    },
    of: (pairs) => slowness * (runMs + pairMs * pairs),
    pairsFor(targetMs, share) {
      const ms = Math.min(Math.max(targetMs / slowness, runMs / share), (MOST_TARGETS * targetMs) / slowness);
      return Math.max(1, Math.floor((ms - runMs) / pairMs));
    },
  };
}
