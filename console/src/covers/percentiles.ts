import type { Stats } from '../service/types.ts';

export type Durations = Stats['rank']['latency'];

/** What came between two readings of the same process; all of `later` where the process was started anew between. */
export function between(earlier: Durations | undefined, later: Durations): Durations {
  if (earlier === undefined || earlier.count > later.count) return later;
  const before = new Map(earlier.buckets.map(({ le_s, count }) => [le_s, count]));
  return {
    count: later.count - earlier.count,
    sum_s: later.sum_s - earlier.sum_s,
    buckets: later.buckets.map(({ le_s, count }) => ({ le_s, count: count - (before.get(le_s) ?? 0) })),
  };
}

export interface Percentile {
  readonly seconds: number;
  /** It is more than `seconds`, which is the highest bound that is counted. */
  readonly isMore: boolean;
}

/**
 * The duration that a share `q` did not exceed, as if durations lay evenly within their bucket: what Prometheus'
 * histogram_quantile does. Undefined where nothing was counted.
 */
export function percentile({ count, buckets }: Durations, q: number): Percentile | undefined {
  if (count === 0) return undefined;
  const wanted = q * count;
  let from = { le_s: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= wanted) {
      const within = bucket.count === from.count ? 1 : (wanted - from.count) / (bucket.count - from.count);
      return { seconds: from.le_s + within * (bucket.le_s - from.le_s), isMore: false };
    }
    from = bucket;
  }
  return { seconds: from.le_s, isMore: true };
}
