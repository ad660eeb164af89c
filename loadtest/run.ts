import { type ClientOptions, createServiceClient, failureReason, type ServiceClient } from './client.ts';
import { runClosedLoop } from './closed-loop.ts';
import type { CoverItem } from './covers.ts';
import { createTimeHistogram } from './histogram.ts';
import { runIndexLoad } from './index-load.ts';
import { describeCommit, describeMachine } from './machine.ts';
import { parseEventLoopDelay } from './metrics.ts';
import { createRequestSource, type RankRequest, rankBody } from './mix.ts';
import { runOpenLoop } from './open-loop.ts';
import { createQuerySource, type QuerySource } from './queries.ts';
import { createRandom } from './random.ts';
import { createRankRecorder, type RankRecorder } from './recorder.ts';
import { type LoadDescription, REPORT_FORMAT, type Report, type Summary, type TargetDescription } from './report.ts';

export interface RunOptions {
  readonly url: string;
  readonly selfStarted: boolean;
  readonly key: string | undefined;
  readonly timeoutMs: number;
  readonly load: LoadDescription;
  /** Known queries of the covers that are indexed. */
  readonly queries: readonly string[];
  /** Pictures for the indexing load. */
  readonly covers: readonly CoverItem[];
  /** The checkout whose commit the report names. */
  readonly folder: string;
  readonly onPhase: (phase: string) => void;
}

interface Context {
  readonly client: ServiceClient;
  readonly next: () => RankRequest;
  readonly headers: Readonly<Record<string, string>>;
  readonly options: RunOptions;
}

/** Sockets of an open loop: enough that the service's own queue fills before ours does. */
const OPEN_LOOP_CONNECTIONS = 1024;

/** Warms up, measures one window and says what was seen. */
export async function runLoadTest(options: RunOptions): Promise<Report> {
  const { load, url, onPhase } = options;
  const headers: Record<string, string> = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
  const client = createServiceClient({ ...clientOptions(options), headers });
  const random = createRandom(load.seed);
  const queries = createQuerySource(options.queries, random);
  const context = { client, next: createRequestSource(load.mix, queries, load, random), headers, options };
  try {
    const machine = describeMachine();
    const target = await describeTarget(client, url, options.selfStarted);
    onPhase(`warming up, ${load.warmupSeconds} s`);
    await askOnce(client, queries, load);
    if (load.warmupSeconds > 0) await drive(context, createRankRecorder(), load.warmupSeconds);

    onPhase(`measuring, ${load.durationSeconds} s`);
    const startedAt = new Date().toISOString();
    await eventLoopDelay(client);
    const recorder = createRankRecorder();
    const [sendLagMs, index] = await Promise.all([
      drive(context, recorder, load.durationSeconds),
      load.indexPerSecond === 0 ? null : indexLoad(context),
    ]);
    return {
      format: REPORT_FORMAT,
      startedAt,
      git: await describeCommit(options.folder),
      machine,
      target,
      load,
      ...recorder.finish(load.durationSeconds),
      index,
      eventLoopDelayMs: await eventLoopDelay(client),
      sendLagMs,
    };
  } finally {
    await client.close();
  }
}

function clientOptions({ url, timeoutMs, load }: RunOptions): Omit<ClientOptions, 'headers'> {
  return { url, timeoutMs, connections: load.loop === 'rate' ? OPEN_LOOP_CONNECTIONS : load.connections };
}

/** Sends the mix for some seconds; answers how late requests left, where they had a time to leave at. */
async function drive({ client, next, headers, options }: Context, recorder: RankRecorder, seconds: number) {
  const { load, url, timeoutMs } = options;
  if (load.ratePerSecond === null) {
    await runClosedLoop(next, recorder, { url, headers, connections: load.connections, seconds, timeoutMs });
    return null;
  }
  const lag = createTimeHistogram();
  const send = async (dueAt: number): Promise<void> => {
    const { kind, body } = next();
    lag.record(performance.now() - dueAt);
    try {
      const answer = await client.post('/rank', body);
      recorder.answered({ kind, ...answer, latencyMs: performance.now() - dueAt });
    } catch (error) {
      recorder.failed(failureReason(error), kind);
    }
  };
  await runOpenLoop(send, { ratePerSecond: load.ratePerSecond, seconds, random: createRandom(load.seed + 1) });
  return lag.summary() satisfies Summary;
}

function indexLoad({ client, options: { load, covers } }: Context) {
  return runIndexLoad(client, covers, {
    ratePerSecond: load.indexPerSecond,
    seconds: load.durationSeconds,
    random: createRandom(load.seed + 2),
  });
}

/** Puts the repeated queries into the service's cache; the first answer that is not 200 ends the run. */
async function askOnce(client: ServiceClient, { primer }: QuerySource, load: LoadDescription): Promise<void> {
  for (const query of primer) {
    const { status, body } = await client.post('/rank', rankBody(query, { ...load, rerankK: 0 }));
    if (status !== 200) throw new Error(`/rank answered ${status} to the first queries: ${body.slice(0, 500)}`);
  }
}

async function describeTarget(client: ServiceClient, url: string, selfStarted: boolean): Promise<TargetDescription> {
  const { status, body } = await client.get('/index');
  if (status !== 200) throw new Error(`GET /index answered ${status}: ${body.slice(0, 500)}`);
  const { covers, bundle } = JSON.parse(body) as TargetDescription;
  return { url, selfStarted, covers, bundle: { name: bundle.name, hash: bundle.hash } };
}

async function eventLoopDelay(client: ServiceClient): Promise<Report['eventLoopDelayMs']> {
  const { status, body } = await client.get('/metrics');
  return status === 200 ? parseEventLoopDelay(body) : null;
}
