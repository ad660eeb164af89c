import type { Counter, Histogram, MetricObjectWithValues, MetricValue, MetricValueWithName } from 'prom-client';
import type { Gate } from './admission.ts';

/** Durations by bucket, from which percentiles of any span of time are the difference of two readings. */
export interface DurationBuckets {
  readonly count: number;
  readonly sum_s: number;
  /** Cumulative: how many took at most `le_s` seconds. */
  readonly buckets: readonly { readonly le_s: number; readonly count: number }[];
}

export interface ServiceStats {
  readonly uptime_s: number;
  readonly admission: Readonly<Record<string, { readonly running: number; readonly waiting: number }>>;
  readonly rank: {
    /** From the request line to the end of the answer, of those that were answered with a ranking. */
    readonly latency: DurationBuckets;
    readonly stages: Readonly<Record<string, DurationBuckets>>;
    /** Rankings that lost a stage or a part of it, by `stage: reason`. */
    readonly degraded: Readonly<Record<string, number>>;
  };
  /** Requests refused, by class of work and then by the code of the refusal. */
  readonly shed: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Items of /index by outcome. */
  readonly items: Readonly<Record<string, number>>;
}

export interface StatsSources {
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly stages: Histogram<'stage'>;
  readonly shed: Counter<'class' | 'reason'>;
  readonly degraded: Counter<'stage' | 'reason'>;
  readonly items: Counter<'result'>;
}

/** The same numbers that /metrics tells, without resetting what a scrape resets. */
export async function readStats(sources: StatsSources, gates: Readonly<Record<string, Gate>>): Promise<ServiceStats> {
  const { values: requests } = await sources.requests.get();
  const { values: stages } = await sources.stages.get();
  const ofRank = requests.filter(({ labels }) => labels.route === '/rank' && String(labels.status) === '200');
  const stageNames = [...new Set(stages.map(({ labels }) => String(labels.stage)))];
  return {
    uptime_s: process.uptime(),
    admission: Object.fromEntries(
      Object.entries(gates).map(([name, { running, waiting }]) => [name, { running, waiting }]),
    ),
    rank: {
      latency: durations(ofRank),
      stages: Object.fromEntries(
        stageNames.map((name) => [name, durations(stages.filter(({ labels }) => labels.stage === name))]),
      ),
      degraded: counts(await sources.degraded.get(), ({ stage, reason }) => `${stage}: ${reason}`),
    },
    shed: byClass(await sources.shed.get()),
    items: counts(await sources.items.get(), ({ result }) => String(result)),
  };
}

function durations(values: readonly MetricValueWithName<string>[]): DurationBuckets {
  const sumOf = (suffix: string): number =>
    values.filter(({ metricName }) => metricName?.endsWith(suffix)).reduce((sum, { value }) => sum + value, 0);
  const byBound = new Map<number, number>();
  for (const { labels, value } of values) {
    const bound = Number(labels['le']);
    if (Number.isFinite(bound)) byBound.set(bound, (byBound.get(bound) ?? 0) + value);
  }
  return {
    count: sumOf('_count'),
    sum_s: sumOf('_sum'),
    buckets: [...byBound].sort(([a], [b]) => a - b).map(([le_s, count]) => ({ le_s, count })),
  };
}

/** What happened: series that are there from 0 on, for the sake of rates, are left out. */
function counts<L extends string>(
  { values }: MetricObjectWithValues<MetricValue<L>>,
  nameOf: (labels: MetricValue<L>['labels']) => string,
): Record<string, number> {
  return Object.fromEntries(
    values.filter(({ value }) => value > 0).map(({ labels, value }) => [nameOf(labels), value]),
  );
}

function byClass({ values }: MetricObjectWithValues<MetricValue<'class' | 'reason'>>): ServiceStats['shed'] {
  const shed: Record<string, Record<string, number>> = {};
  for (const { labels, value } of values) {
    if (value === 0) continue;
    const name = String(labels.class);
    shed[name] = { ...shed[name], [String(labels.reason)]: value };
  }
  return shed;
}
