import type { Moment, Observed, Oracle } from './oracle.ts';
import { postJson } from './service-process.ts';
import type { Tally } from './tally.ts';

export interface Query {
  readonly text: string;
  readonly embedding: Float32Array;
}

const CHUNK = 1_000;
const K = 100;

/** Holds all that the restarted service has against the oracle, and takes it as the state from which to go on. */
export async function compareService(url: string, oracle: Oracle, query: Query, tally: Tally): Promise<void> {
  const moment = oracle.now();
  const observed = await observeAll(url, oracle.ids, query.text);
  judgeAll(oracle, observed, moment, query, tally, 'after the restart');
  for (const id of oracle.ids) oracle.settle(id, observed.get(id) ?? null);
  await compareCounts(url, oracle, tally);
  const { body } = await postJson(url, '/rank', {
    query: query.text,
    top_n: K,
    recall_k: K,
    rerank_k: 0,
    deadline_ms: 60_000,
  });
  const found = new Set((body as { results: { id: string }[] }).results.map(({ id }) => id));
  const exact = oracle.exact(query.embedding, K);
  const recall = exact.filter((id) => found.has(id)).length / exact.length;
  tally.recallSum += recall;
  tally.recalls += 1;
  tally.leastRecall = Math.min(tally.leastRecall, recall);
}

export function judgeAll(
  oracle: Oracle,
  observed: ReadonlyMap<string, Observed>,
  moment: Moment,
  query: Query,
  tally: Tally,
  where: string,
): void {
  for (const id of oracle.ids) {
    const verdict = oracle.judge(id, observed.get(id) ?? null, moment, query.embedding);
    tally.covers += 1;
    if (verdict === 'right') continue;
    tally[verdict] += 1;
    tally.faults.push(`${id} is ${verdict} ${where}: ${JSON.stringify(observed.get(id) ?? null)}`);
  }
}

/** Every cover with its cosine to the query, which tells its embedding from any other. */
async function observeAll(url: string, ids: readonly string[], query: string): Promise<Map<string, Observed>> {
  const observed = new Map<string, Observed>();
  for (let start = 0; start < ids.length; start += CHUNK) {
    const candidates = ids.slice(start, start + CHUNK);
    const request = { query, candidates, top_n: CHUNK, recall_k: CHUNK, rerank_k: 0, deadline_ms: 60_000 };
    const { status, body } = await postJson(url, '/rank', request);
    if (status !== 200) throw new Error(`/rank answered ${status}: ${JSON.stringify(body)}`);
    for (const { id, signals, cover } of (body as { results: Result[] }).results) {
      observed.set(id, { title: cover.title, version: cover.attributes['version'], cosine: signals.cosine });
    }
  }
  return observed;
}

interface Result {
  readonly id: string;
  readonly signals: { readonly cosine: number };
  readonly cover: { readonly title?: string; readonly attributes: Readonly<Record<string, unknown>> };
}

async function compareCounts(url: string, oracle: Oracle, tally: Tally): Promise<void> {
  const status = (await (await fetch(`${url}/index`)).json()) as {
    covers: number;
    sequence: number;
    graph: { sequence: number };
  };
  if (status.covers !== oracle.covers) tally.faults.push(`${status.covers} covers where ${oracle.covers} belong`);
  if (status.graph.sequence !== status.sequence) tally.faults.push('the graph is behind the store');
}
