/** Milliseconds without a run after which an estimate is worth a doubt. */
const DOUBT_AFTER_MS = 1_000;

/**
 * Whoever estimates from runs, and lets nothing run that would take too long, never learns that a slow moment is over.
 * So now and then one run is due that the estimate is against.
 */
export interface SecondChance {
  /** A run has ended, or has failed. */
  ended(): void;
  /** Whether one may be tried, given that nothing else runs or waits. */
  isDue(): boolean;
}

export function createSecondChance(now: () => number = () => performance.now()): SecondChance {
  let endedAt = now();
  return {
    ended() {
      endedAt = now();
    },
    isDue: () => now() - endedAt > DOUBT_AFTER_MS,
  };
}
