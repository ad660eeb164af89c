import type { Stats } from '../service/types.ts';
import { between, type Durations } from './percentiles.ts';

/** What happened lately, or since the start of the service. */
export interface Lately {
  /** Undefined: since the start, for lack of anything in the window. */
  readonly seconds: number | undefined;
  readonly latency: Durations;
  /** Ranking requests that were refused. */
  readonly shed: number;
  readonly degraded: number;
  readonly perSecond: number | undefined;
}

/** Readings of counters that only grow; what lies between two of them is what happened then. */
export interface ReadingWindow {
  add(stats: Stats, atMs: number): Lately;
}

export function createWindow(lengthMs: number): ReadingWindow {
  let readings: { readonly stats: Stats; readonly atMs: number }[] = [];
  return {
    add(stats, atMs) {
      // A service that was started anew counts from 0 again.
      if (readings.some((reading) => reading.stats.uptime_s > stats.uptime_s)) readings = [];
      readings = [...readings.filter((reading) => reading.atMs >= atMs - lengthMs), { stats, atMs }];
      const [oldest] = readings;
      const latency = between(oldest?.stats.rank.latency, stats.rank.latency);
      const shed = shedOf(stats) - (oldest === undefined ? 0 : shedOf(oldest.stats));
      if (oldest === undefined || oldest.atMs === atMs || latency.count + shed === 0) {
        const { latency: all } = stats.rank;
        const perSecond = stats.uptime_s > 0 ? all.count / stats.uptime_s : undefined;
        return { seconds: undefined, latency: all, shed: shedOf(stats), degraded: degradedOf(stats), perSecond };
      }
      const seconds = (atMs - oldest.atMs) / 1000;
      const degraded = degradedOf(stats) - degradedOf(oldest.stats);
      return { seconds, latency, shed, degraded, perSecond: latency.count / seconds };
    },
  };
}

function shedOf({ shed }: Stats): number {
  return sum(Object.values(shed['rank'] ?? {}));
}

function degradedOf({ rank }: Stats): number {
  return sum(Object.values(rank.degraded));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
