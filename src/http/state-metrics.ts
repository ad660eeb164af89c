import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Gate } from './admission.ts';
import type { BrownOut } from './brown-out.ts';
import type { Lifecycle } from './lifecycle.ts';

export interface StateMetricsDeps {
  readonly version: string;
  readonly gates: Readonly<Record<string, Gate>>;
  readonly brownOut: BrownOut;
  readonly lifecycle: Lifecycle;
}

const NANOSECONDS = 1e9;
const LOOP_RESOLUTION_MS = 10;

/** Metrics that are not counted as things happen but read off the parts when they are asked for. */
export function addStateMetrics(app: FastifyInstance, registers: Registry[], deps: StateMetricsDeps): void {
  const { version, gates, brownOut, lifecycle } = deps;
  addQueueGauges(registers, gates);
  addBrownOutGauge(registers, brownOut);
  addHealthGauges(registers, lifecycle);
  addIndexGauges(registers, lifecycle);
  addSnapshotGauge(registers, lifecycle);
  addEventCounter(registers, lifecycle);
  addRerankServerMetrics(registers, lifecycle);
  addBuildInfo(registers, version, lifecycle);
  addEventLoopDelay(app, registers);
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

function addHealthGauges(registers: Registry[], lifecycle: Lifecycle): void {
  new Gauge({
    name: 'coverrank_ready',
    help: 'Whether /rank can be answered now, as /readyz says.',
    registers,
    collect() {
      this.set(Number(lifecycle.health().ready));
    },
  });
  new Gauge({
    name: 'coverrank_part_ready',
    help: 'Whether a part works now; without one that is not required rankings are degraded.',
    labelNames: ['part', 'required'] as const,
    registers,
    collect() {
      this.reset();
      for (const { name, required, ready } of lifecycle.health().parts) {
        this.set({ part: name, required: String(required) }, Number(ready));
      }
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

/** No value while there is no snapshot. */
function addSnapshotGauge(registers: Registry[], lifecycle: Lifecycle): void {
  new Gauge({
    name: 'coverrank_index_snapshot_timestamp_seconds',
    help: 'When the graph was last saved, in seconds since 1970.',
    registers,
    collect() {
      const snapshot = lifecycle.peek()?.index.status().snapshot;
      this.reset();
      if (snapshot) this.set(Date.parse(snapshot.createdAt) / 1000);
    },
  });
}

type IndexNumbers = ReturnType<ReturnType<Lifecycle['services']>['index']['status']>;

function addEventCounter(registers: Registry[], lifecycle: Lifecycle): void {
  new Counter({
    name: 'coverrank_events_total',
    help: 'What the service did in the background or had to help itself with, such as a thread that died; see the log.',
    labelNames: ['event', 'part'] as const,
    registers,
    collect() {
      this.reset();
      for (const { event, part, count } of lifecycle.peek()?.events() ?? []) this.inc({ event, part }, count);
    },
  });
}

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
