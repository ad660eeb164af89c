import { createTimeHistogram } from './histogram.ts';
import type { CurvePoint, StreamReport } from './report.ts';

/** Counts and latencies of one stream of requests. */
export interface StreamRecorder {
  answered(status: number, latencyMs: number): void;
  failed(reason: string): void;
  curve(): CurvePoint[];
  finish(windowSeconds: number): StreamReport;
}

export function createStreamRecorder(): StreamRecorder {
  const latency = createTimeHistogram();
  const statuses: Record<string, number> = {};
  const failures: Record<string, number> = {};

  return {
    answered(status, latencyMs) {
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 200) latency.record(latencyMs);
    },
    failed(reason) {
      failures[reason] = (failures[reason] ?? 0) + 1;
    },
    curve: () => latency.curve(),
    finish: (windowSeconds) => ({
      requests: sum(statuses) + sum(failures),
      throughputPerSecond: Math.round(((statuses['200'] ?? 0) / windowSeconds) * 100) / 100,
      statuses,
      failures,
      shed: statuses['429'] ?? 0,
      latencyMs: latency.summary(),
    }),
  };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
