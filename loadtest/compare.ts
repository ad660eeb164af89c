import type { Report, TimelinePoint } from './report.ts';

/** One figure in both reports. */
export interface ComparedFigure {
  readonly name: string;
  readonly unit: string;
  readonly earlier: number;
  readonly now: number;
  /** now / earlier; null where the earlier one is 0. */
  readonly ratio: number | null;
  readonly better: 'lower' | 'higher';
  /**
   * Ratios within 1 ± this are what the spread over the seconds of the two runs alone would make; null where one run
   * cannot tell, as with figures that a handful of requests decide.
   */
  readonly noise: number | null;
}

export interface Comparison {
  readonly figures: readonly ComparedFigure[];
  /** Why the two may not be comparable: another machine, another load. Empty when nothing stands out. */
  readonly warnings: readonly string[];
}

/** Two standard errors: about nineteen of twenty chance differences are smaller. */
const STANDARD_ERRORS = 2;

export const NOISE_NOTE =
  'Noise is two standard errors of the ratio, from the spread over the seconds of both runs. It does not hold what ' +
  'changes from one run to the next (a neighbour on the machine, a new memory layout): repeat both before believing a ' +
  'ratio near it.';

export function compareReports(earlier: Report, now: Report): Comparison {
  const figure = (name: string, unit: string, read: (report: Report) => number, noise: number | null = null) => {
    const [before, after] = [read(earlier), read(now)];
    const better = unit === '1/s' ? 'higher' : 'lower';
    const ratio = before === 0 ? null : after / before;
    return { name, unit, earlier: before, now: after, ratio, better, noise } satisfies ComparedFigure;
  };
  const spread = (read: (point: TimelinePoint) => number | null) => noiseOf(earlier, now, read);
  return {
    figures: [
      figure(
        'throughput',
        '1/s',
        (report) => report.rank.throughputPerSecond,
        spread((point) => point.answered),
      ),
      figure(
        'p50',
        'ms',
        (report) => report.rank.latencyMs.p50,
        spread((point) => point.p50Ms),
      ),
      figure('p90', 'ms', (report) => report.rank.latencyMs.p90),
      figure(
        'p99',
        'ms',
        (report) => report.rank.latencyMs.p99,
        spread((point) => point.p99Ms),
      ),
      figure('p99.9', 'ms', (report) => report.rank.latencyMs.p999),
      figure('max', 'ms', (report) => report.rank.latencyMs.max),
      figure('shed', 'share', (report) => share(report.rank.shed, report)),
      figure('degraded', 'share', (report) => share(sum(report.rank.degraded), report)),
      ...(earlier.eventLoopDelayMs === null || now.eventLoopDelayMs === null
        ? []
        : [figure('event-loop delay p99', 'ms', (report) => report.eventLoopDelayMs?.p99 ?? 0)]),
    ],
    warnings: warningsOf(earlier, now),
  };
}

/** Relative, of the ratio of two means: each has the standard error sd / sqrt(n), and relative errors add in squares. */
function noiseOf(earlier: Report, now: Report, read: (point: TimelinePoint) => number | null): number | null {
  const errors = [earlier, now].map((report) => relativeStandardError(report.timeline.map(read)));
  const [first, second] = errors;
  if (first === undefined || second === undefined) return null;
  return STANDARD_ERRORS * Math.hypot(first, second);
}

function relativeStandardError(values: readonly (number | null)[]): number | undefined {
  const present = values.filter((value) => value !== null);
  const mean = present.reduce((total, value) => total + value, 0) / present.length;
  if (present.length < 3 || mean === 0) return undefined;
  const variance = present.reduce((total, value) => total + (value - mean) ** 2, 0) / (present.length - 1);
  return Math.sqrt(variance / present.length) / mean;
}

function warningsOf(earlier: Report, now: Report): string[] {
  const differing = (what: string, read: (report: Report) => unknown): string[] => {
    const [before, after] = [read(earlier), read(now)].map((value) => JSON.stringify(value));
    return before === after ? [] : [`${what}: ${before} then, ${after} now`];
  };
  const { seed: _, ...load } = now.load;
  return [
    ...differing('CPU', ({ machine }) => `${machine.cpu}, ${machine.cores} cores`),
    ...differing('Node', ({ machine }) => machine.node),
    ...differing('bundle', ({ target }) => target.bundle.hash),
    ...differing('covers', ({ target }) => target.covers),
    ...differing('started by the load test', ({ target }) => target.selfStarted),
    ...Object.keys(load).flatMap((name) => differing(name, (report) => report.load[name as keyof typeof load])),
    ...[earlier, now].flatMap(({ git, startedAt }) =>
      git?.dirty === true ? [`the checkout of the run of ${startedAt} had uncommitted changes`] : [],
    ),
  ];
}

function share(count: number, { rank }: Report): number {
  return rank.requests === 0 ? 0 : count / rank.requests;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
