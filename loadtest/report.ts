/**
 * What a load test leaves behind: the JSON file, from which the page is drawn and with which later runs are compared.
 * Latencies are milliseconds as a client saw them; percentiles are of answers with status 200 unless said otherwise,
 * since refusals are fast and would flatter.
 */
export const REPORT_FORMAT = 1;

export const RANK_KINDS = ['rank-repeated', 'rank-fresh', 'rerank-repeated', 'rerank-fresh'] as const;
/** `repeated`: the query is in the service's cache; `fresh`: nobody asked it before. `rerank`: with the cross-encoder. */
export type RankKind = (typeof RANK_KINDS)[number];

export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface CurvePoint {
  /** 0 to 100. */
  readonly percentile: number;
  readonly ms: number;
}

/** One stream of requests: all of `/rank`, one kind of it, or `/index`. */
export interface StreamReport {
  /** Answered or failed within the window. */
  readonly requests: number;
  /** Answers with status 200 a second. */
  readonly throughputPerSecond: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests that got no answer, by reason. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers with status 429. */
  readonly shed: number;
  readonly latencyMs: Summary;
}

export interface RankReport extends StreamReport {
  readonly curve: readonly CurvePoint[];
  /** Answers with another status than 200, by status and problem code: `429 overloaded`. */
  readonly refused: Readonly<Record<string, number>>;
  /** Answers that lost a stage or part of one, by `stage: reason`; one answer may count under several. */
  readonly degraded: Readonly<Record<string, number>>;
}

export interface KindReport extends StreamReport {
  /** From Server-Timing, by stage, in the order the service names them. */
  readonly stagesMs: Readonly<Record<string, Summary>>;
}

/** One second of the window. */
export interface TimelinePoint {
  /** From 0. */
  readonly second: number;
  readonly answered: number;
  readonly shed: number;
  /** Other statuses than 200 and 429, and requests without an answer. */
  readonly failed: number;
  /** Null in a second without an answer. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface LoadDescription {
  /** `closed`: each connection sends its next request when the last was answered. `rate`: arrivals that wait for nobody. */
  readonly loop: 'closed' | 'rate';
  readonly connections: number;
  readonly ratePerSecond: number | null;
  readonly durationSeconds: number;
  readonly warmupSeconds: number;
  readonly mix: Readonly<Partial<Record<RankKind, number>>>;
  readonly indexPerSecond: number;
  readonly topN: number;
  readonly recallK: number;
  readonly rerankK: number;
  readonly deadlineMs: number;
  readonly seed: number;
}

export interface MachineDescription {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** One-minute load average before the run. */
  readonly loadBefore: number;
}

export interface TargetDescription {
  readonly url: string;
  /** The load test started the service itself, so both share one machine. */
  readonly selfStarted: boolean;
  readonly covers: number;
  readonly bundle: { readonly name: string; readonly hash: string };
}

export interface Report {
  readonly format: typeof REPORT_FORMAT;
  readonly startedAt: string;
  /** Null outside a git checkout. */
  readonly git: { readonly commit: string; readonly dirty: boolean } | null;
  readonly machine: MachineDescription;
  readonly target: TargetDescription;
  readonly load: LoadDescription;
  readonly rank: RankReport;
  readonly kinds: Readonly<Partial<Record<RankKind, KindReport>>>;
  /** Null when nothing was indexed meanwhile. */
  readonly index: StreamReport | null;
  readonly timeline: readonly TimelinePoint[];
  /** Of the service's main thread during the window; null where `/metrics` could not be read. */
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  /** How late requests left after they were due; null in a closed loop, where none is due. */
  readonly sendLagMs: Summary | null;
}
