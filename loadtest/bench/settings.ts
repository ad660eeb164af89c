/** How much is done in a round. */
export interface Durations {
  /** Single runs timed one after the other. */
  readonly runs: number;
  /** Milliseconds of a throughput measurement. */
  readonly windowMs: number;
  /** Pictures indexed. */
  readonly pictures: number;
  /** Seconds of load on a served process. */
  readonly loadSeconds: number;
  /** Requests of which a share is told: a share of few says little. */
  readonly answers: number;
}

export const FULL: Durations = { runs: 40, windowMs: 4_000, pictures: 64, loadSeconds: 15, answers: 120 };
/** Enough to see that a row works, too little for a figure. */
export const QUICK: Durations = { runs: 5, windowMs: 300, pictures: 8, loadSeconds: 1, answers: 2 };
