import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { type ErrorCode, isFailure } from '../core/errors.ts';
import type { DegradationReason } from '../core/types.ts';
import type { ItemOutcome } from '../indexing/index-job.ts';
import type { Ranking } from '../ranking/rank.ts';
import { addStateMetrics, type StateMetricsDeps } from './state-metrics.ts';
import { readStats, type ServiceStats } from './stats.ts';

/** What the service tells about itself, in a registry of its own: two applications in one process do not mix. */
export interface Telemetry {
  readonly contentType: string;
  /** The Prometheus text of everything. */
  render(): Promise<string>;
  request(labels: { method: string; route: string; status: number }, seconds: number): void;
  shed(labels: { class: string; reason: string }): void;
  ranked(ranking: Ranking, queuedMs: number): void;
  indexed(outcome: ItemOutcome): void;
  /** The numbers that a person watches; they count from the start of the process. */
  stats(): Promise<ServiceStats>;
}

/** Seconds; from an in-memory answer to the longest deadline. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createTelemetry(app: FastifyInstance, deps: StateMetricsDeps): Telemetry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'coverrank_http_request_duration_seconds',
    help: 'Time from the request line to the end of the answer.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: BUCKETS,
    registers,
  });
  const stages = new Histogram({
    name: 'coverrank_rank_stage_duration_seconds',
    help: 'Time that a /rank request spent in each stage.',
    labelNames: ['stage'] as const,
    buckets: BUCKETS,
    registers,
  });
  const shed = new Counter({
    name: 'coverrank_shed_total',
    help: 'Requests refused, by the class of work and the code of the refusal.',
    labelNames: ['class', 'reason'] as const,
    registers,
  });
  const degraded = new Counter({
    name: 'coverrank_degraded_total',
    help: 'Rankings that lost a stage or a part of it.',
    labelNames: ['stage', 'reason'] as const,
    registers,
  });
  const reranked = new Counter({
    name: 'coverrank_reranked_covers_total',
    help: 'Covers in answers that the cross-encoder scored.',
    registers,
  });
  const items = new Counter({
    name: 'coverrank_index_items_total',
    help: 'Items of /index by outcome: created, updated, unchanged, deleted, not_found, or the code of the error.',
    labelNames: ['result'] as const,
    registers,
  });

  // From 0 on: a rate over a series that appears with its first event does not see that event.
  for (const reason of LOSSES) degraded.inc({ stage: 'rerank', reason }, 0);
  for (const reason of SHEDDING) for (const name of Object.keys(deps.gates)) shed.inc({ class: name, reason }, 0);
  addStateMetrics(app, registers, deps);

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    request: (labels, seconds) => requests.observe(labels, seconds),
    shed: (labels) => shed.inc(labels),
    ranked({ timingsMs, degraded: lost, hits }, queuedMs) {
      for (const stage of ['tokenize', 'embed', 'recall', 'rerank', 'fuse'] as const) {
        stages.observe({ stage }, timingsMs[stage] / 1000);
      }
      stages.observe({ stage: 'queue' }, (timingsMs.queue + queuedMs) / 1000);
      for (const { stage, reason } of lost) degraded.inc({ stage, reason });
      reranked.inc(hits.filter((hit) => hit.stage === 'rerank').length);
    },
    stats: () => readStats({ requests, stages, shed, degraded, items }, deps.gates),
    indexed: ({ result, error }) => items.inc({ result: error?.code ?? result ?? 'internal' }),
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Class of work that the route belongs to, under which its refusals are counted. */
    work?: 'rank' | 'index';
  }
}

const LOSSES: readonly DegradationReason[] = ['deadline_exceeded', 'overloaded', 'unavailable', 'error'];
const SHEDDING: readonly ErrorCode[] = ['overloaded', 'rate_limited', 'draining', 'unavailable', 'deadline_exceeded'];

/** One histogram entry per request, by route pattern so that ids do not become labels. */
export function addRequestMetrics(app: FastifyInstance, telemetry: Telemetry): void {
  app.addHook('onResponse', async (request, reply) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode };
    telemetry.request(labels, reply.elapsedTime / 1000);
  });
  app.addHook('onError', async (request, _reply, error: unknown) => {
    const work = request.routeOptions.config.work;
    if (work === undefined || !isFailure(error) || !SHEDDING.includes(error.code)) return;
    telemetry.shed({ class: work, reason: error.code });
  });
}
