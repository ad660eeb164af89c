import Table from 'cli-table3';
import type { Level } from './level.ts';

/** A goal, whether it was met, and by what figure. */
export interface Verdict {
  readonly goal: string;
  readonly met: boolean;
  readonly figure: string;
}

const MAX_P99_RATIO = 2;
const MAX_REFUSAL_MS = 20;
const MAX_PROBE_MS = 100;

/** Levels, the first of which is the one that the others are compared with. */
export function overloadTable(levels: readonly Level[]): string {
  const head = ['load', 'requests/s', 'answered', 'refused', 'other', 'p50 ms', 'p99 ms', 'p99 ratio'];
  const more = [
    'refusal p99 ms',
    'probe p99 ms',
    'probe max ms',
    'RSS max MiB',
    'by quarter',
    'least share',
    'fewer reranked',
  ];
  const table = new Table({
    head: [...head, ...more],
    colAligns: [...head, ...more].map(() => 'right' as const),
    style: { head: [], border: [] },
  });
  for (const level of levels) {
    table.push([
      `${level.load} x`,
      level.ratePerSecond.toFixed(1),
      share(level.answered, level.requests),
      share(level.refused, level.requests),
      Object.values(level.others).reduce((sum, count) => sum + count, 0),
      level.answeredMs.p50.toFixed(1),
      level.answeredMs.p99.toFixed(1),
      p99Ratio(level, levels).toFixed(2),
      level.refusedMs?.p99.toFixed(1) ?? '-',
      level.probeMs.p99.toFixed(1),
      level.probeMs.max.toFixed(1),
      level.rssMiB.max,
      level.rssMiB.quarters.join(' '),
      level.leastRerankShare.toFixed(2),
      share(level.degraded['rerank: overloaded'] ?? 0, level.answered),
    ]);
  }
  return `${table.toString()}\n`;
}

/** Whether the service holds what it promises above saturation. */
export function verdicts(levels: readonly Level[]): Verdict[] {
  const above = levels.filter(({ load }) => load > 1);
  const worst = (values: readonly number[]): number => Math.max(0, ...values);
  const ratio = worst(above.map((level) => p99Ratio(level, levels)));
  const refusal = worst(above.map(({ refusedMs }) => refusedMs?.p99 ?? 0));
  const probe = worst(levels.map(({ probeMs }) => probeMs.max));
  const failed = levels.reduce((sum, { probesFailed }) => sum + probesFailed, 0);
  const others = levels.flatMap((level) => Object.entries(level.others).map(([name, count]) => `${name} ${count}`));
  return [
    {
      goal: `p99 of answers within ${MAX_P99_RATIO} x of the lowest load`,
      met: ratio <= MAX_P99_RATIO,
      figure: ratio.toFixed(2),
    },
    {
      goal: `p99 of refusals within ${MAX_REFUSAL_MS} ms`,
      met: refusal <= MAX_REFUSAL_MS,
      figure: `${refusal.toFixed(1)} ms`,
    },
    {
      goal: `probes and metrics within ${MAX_PROBE_MS} ms`,
      met: probe <= MAX_PROBE_MS && failed === 0,
      figure: `${probe.toFixed(1)} ms, ${failed} failed`,
    },
    { goal: 'every request is answered with 200 or 429', met: others.length === 0, figure: others.join(', ') || 'all' },
  ];
}

function p99Ratio({ answeredMs }: Level, [lowest]: readonly Level[]): number {
  return lowest === undefined || lowest.answeredMs.p99 === 0 ? 0 : answeredMs.p99 / lowest.answeredMs.p99;
}

function share(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)}%`;
}
