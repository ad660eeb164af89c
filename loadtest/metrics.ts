import type { Report } from './report.ts';

const DELAY = /^coverrank_event_loop_delay_seconds\{quantile="(0\.5|0\.99|1)"\} (\S+)$/gm;
const GC = /^nodejs_gc_duration_seconds_sum\{[^}]*\} (\S+)$/gm;

/**
 * Delay of the service's main thread, from the text of `/metrics`. The service counts from the last scrape, so this is
 * of the window between the scrape before and this one, as long as nobody else scrapes.
 */
export function parseEventLoopDelay(metrics: string): Report['eventLoopDelayMs'] {
  const seconds = new Map([...metrics.matchAll(DELAY)].map(([, quantile, value]) => [quantile, Number(value)]));
  const [p50, p99, max] = ['0.5', '0.99', '1'].map((quantile) => seconds.get(quantile));
  if (p50 === undefined || p99 === undefined || max === undefined) return null;
  return { p50: milliseconds(p50), p99: milliseconds(p99), max: milliseconds(max) };
}

/** Seconds that garbage collection of the service's main thread took since its start, from the text of `/metrics`. */
export function parseGcSeconds(metrics: string): number {
  return [...metrics.matchAll(GC)].reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

function milliseconds(seconds: number): number {
  return Math.round(seconds * 1e6) / 1000;
}
