import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceClient } from '../client.ts';
import { createTimeHistogram } from '../histogram.ts';

/** What can be seen from outside while a service is loaded. */
export interface Watched {
  /** Of /readyz and /metrics, as they answered or did not within the client's time. */
  readonly probeMs: { readonly p99: number; readonly max: number };
  readonly probesFailed: number;
  /** The most in each quarter of the time: what still grows is no ceiling. */
  readonly rssMiB: { readonly max: number; readonly quarters: readonly number[] };
  /** The least share of reranking that a scrape saw. */
  readonly leastRerankShare: number;
}

const PAUSE_MS = 200;

/** Asks probes and metrics in turn until the signal fires. */
export async function watchService(client: ServiceClient, signal: AbortSignal): Promise<Watched> {
  const latency = createTimeHistogram();
  const rss: number[] = [];
  let leastRerankShare = 1;
  let probesFailed = 0;

  async function ask(path: string): Promise<string> {
    const startedAt = performance.now();
    try {
      const { status, body } = await client.get(path);
      latency.record(performance.now() - startedAt);
      if (status !== 200) probesFailed += 1;
      return body;
    } catch {
      probesFailed += 1;
      return '';
    }
  }

  while (!signal.aborted) {
    await ask('/readyz');
    const metrics = await ask('/metrics');
    const bytes = readMetric(metrics, 'process_resident_memory_bytes');
    if (bytes !== undefined) rss.push(Math.round(bytes / 2 ** 20));
    leastRerankShare = Math.min(leastRerankShare, readMetric(metrics, 'coverrank_rerank_share') ?? 1);
    await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
  return {
    probeMs: { p99: latency.percentileMs(99), max: latency.percentileMs(100) },
    probesFailed,
    rssMiB: { max: Math.max(0, ...rss), quarters: mostByQuarter(rss) },
    leastRerankShare,
  };
}

function mostByQuarter(values: readonly number[]): number[] {
  const bounds = [0, 1, 2, 3, 4].map((quarter) => Math.round((quarter * values.length) / 4));
  return bounds.slice(1).map((end, quarter) => Math.max(0, ...values.slice(bounds[quarter], end)));
}

/** A metric without labels, from the Prometheus text. */
export function readMetric(metrics: string, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1];
  return value === undefined ? undefined : Number(value);
}
