import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type ErrorCode, isFailure } from '../core/errors.ts';
import type { ItemOutcome } from '../indexing/index-job.ts';
import type { Ranking } from '../ranking/rank.ts';
import type { Gate } from './admission.ts';
import type { BrownOut } from './brown-out.ts';
import type { Lifecycle } from './lifecycle.ts';
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

export interface TelemetryDeps {
  readonly version: string;
  readonly gates: Readonly<Record<string, Gate>>;
  readonly brownOut: BrownOut;
  readonly lifecycle: Lifecycle;
}

/** Seconds; from an in-memory answer to the longest deadline. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const NANOSECONDS = 1e9;
const LOOP_RESOLUTION_MS = 10;

export function createTelemetry(app: FastifyInstance, deps: TelemetryDeps): Telemetry {
  const { version, gates, brownOut, lifecycle } = deps;
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

  addQueueGauges(registers, gates);
  addBrownOutGauge(registers, brownOut);
  addIndexGauges(registers, lifecycle);
  addRerankServerMetrics(registers, lifecycle);
  addBuildInfo(registers, version, lifecycle);
  addEventLoopDelay(app, registers);

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
    stats: () => readStats({ requests, stages, shed, degraded, items }, gates),
    indexed: ({ result, error }) => items.inc({ result: error?.code ?? result ?? 'internal' }),
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Class of work that the route belongs to, under which its refusals are counted. */
    work?: 'rank' | 'index';
  }
}

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

function addQueueGauges(registers: Registry[], gates: Readonly<Record<string, Gate>>): void {
  new Gauge({
    name: 'coverrank_admission_requests',
    help: 'Requests that are worked on and that wait, by class of work.',
    labelNames: ['class', 'state'] as const,
    registers,
    collect() {
      for (const [name, gate] of Object.entries(gates)) {
        this.set({ class: name, state: 'running' }, gate.running);
        this.set({ class: name, state: 'waiting' }, gate.waiting);
      }
    },
  });
}

function addBrownOutGauge(registers: Registry[], brownOut: BrownOut): void {
  new Gauge({
    name: 'coverrank_rerank_share',
    help: 'Share of the covers to rerank that the load leaves room for; 1 unless there is a standing queue.',
    registers,
    collect() {
      this.set(brownOut.share);
    },
  });
}

function addIndexGauges(registers: Registry[], lifecycle: Lifecycle): void {
  const gauge = (name: string, help: string, read: (status: IndexNumbers) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const status = lifecycle.peek()?.index.status();
        if (status !== undefined) this.set(read(status));
      },
    });
  gauge('coverrank_index_covers', 'Covers in the index.', (status) => status.covers);
  gauge('coverrank_index_deleted', 'Tombstones that a rebuild will drop.', (status) => status.deleted);
  gauge('coverrank_index_sequence', 'Number of the last write.', (status) => status.sequence);
  gauge('coverrank_index_durable_sequence', 'Number of the last write on disk.', (status) => status.durableSequence);
  gauge('coverrank_index_graph_sequence', 'Number of the last write in the graph.', (status) => status.graph.sequence);
}

type IndexNumbers = ReturnType<ReturnType<Lifecycle['services']>['index']['status']>;

/** Nothing where this process reranks. */
function addRerankServerMetrics(registers: Registry[], lifecycle: Lifecycle): void {
  const status = () => lifecycle.peek()?.rerankServer?.status();
  const stateGauge = (name: string, help: string, part: 'server' | 'breaker') =>
    new Gauge({
      name,
      help,
      labelNames: ['state'] as const,
      registers,
      collect() {
        const state = status()?.[part];
        this.reset();
        if (state !== undefined) this.set({ state }, 1);
      },
    });
  stateGauge('coverrank_rerank_server_state', 'Always 1; the label says how the server that reranks is.', 'server');
  stateGauge('coverrank_rerank_breaker_state', 'Always 1; the label says how the circuit breaker is.', 'breaker');
  new Counter({
    name: 'coverrank_rerank_calls_total',
    help: 'Calls to the server that reranks, and how many were made once more.',
    labelNames: ['attempt'] as const,
    registers,
    collect() {
      const current = status();
      if (current === undefined) return;
      this.reset();
      this.inc({ attempt: 'first' }, current.calls);
      this.inc({ attempt: 'retry' }, current.retries);
    },
  });
}

function addBuildInfo(registers: Registry[], version: string, lifecycle: Lifecycle): void {
  new Gauge({
    name: 'coverrank_build_info',
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node', 'bundle', 'bundle_hash'] as const,
    registers,
    collect() {
      const model = lifecycle.peek()?.queryEncoder.model;
      this.reset();
      this.set({ version, node: process.version, bundle: model?.name ?? '', bundle_hash: model?.hash ?? '' }, 1);
    },
  });
}

/** Percentiles since the last scrape: an average since the start would hide a bad minute. */
function addEventLoopDelay(app: FastifyInstance, registers: Registry[]): void {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  // The histogram holds the time between two ticks of its timer, so an idle loop shows the timer's own interval.
  const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - LOOP_RESOLUTION_MS / 1000);
  delay.enable();
  app.addHook('onClose', async () => {
    delay.disable();
  });
  new Gauge({
    name: 'coverrank_event_loop_delay_seconds',
    help: 'Delay of the main thread since the last scrape.',
    labelNames: ['quantile'] as const,
    registers,
    collect() {
      this.set({ quantile: '0.5' }, seconds(delay.percentile(50)));
      this.set({ quantile: '0.99' }, seconds(delay.percentile(99)));
      this.set({ quantile: '1' }, seconds(delay.max));
      delay.reset();
    },
  });
}
