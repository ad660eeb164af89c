import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../../loadtest/random.ts';
import type { Moment, Oracle } from './oracle.ts';
import { postJson } from './service-process.ts';

/** What was done in one life of the service. */
export interface Work {
  /** Writes that were acknowledged. */
  writes: number;
  searches: number;
  /** Of the answers that came: a cover in them that was gone for sure. */
  goneInAnswers: number;
  /** Answers that no client should get. */
  surprises: string[];
  readonly snapshots: { readonly name: string; readonly before: Moment }[];
}

const WRITERS = 3;
const MAX_BATCH = 24;
const DELETES = 0.3;
const SNAPSHOT_PAUSE_MS = 50;

export function noWork(): Work {
  return { writes: 0, searches: 0, goneInAnswers: 0, surprises: [], snapshots: [] };
}

/** Writes, searches and takes snapshots side by side until the service is gone; `work` tells what was done. */
export async function workUntilGone(
  url: string,
  oracle: Oracle,
  random: Random,
  queries: readonly string[],
  work: Work,
): Promise<void> {
  const untilGone = async (step: () => Promise<void>): Promise<void> => {
    for (;;) {
      try {
        await step();
      } catch {
        // The connection broke: the service was killed.
        return;
      }
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, writer) => {
    const own = oracle.ids.filter((_id, number) => number % WRITERS === writer);
    return untilGone(() => writeBatch(url, oracle, random, own, work));
  });
  await Promise.all([
    ...writers,
    untilGone(() => search(url, oracle, queries[Math.floor(random() * queries.length)] ?? '', work)),
    untilGone(async () => {
      await delay(SNAPSHOT_PAUSE_MS);
      await takeSnapshot(url, oracle, work);
    }),
  ]);
}

/** Each writer has ids of its own, so that writes of one id have an order. */
async function writeBatch(
  url: string,
  oracle: Oracle,
  random: Random,
  own: readonly string[],
  work: Work,
): Promise<void> {
  const size = 1 + Math.floor(random() ** 2 * MAX_BATCH);
  const start = Math.floor(random() * own.length);
  const ids = own.slice(start, start + size);
  await write(url, oracle, ids, () => random() < DELETES, work);
}

export async function write(
  url: string,
  oracle: Oracle,
  ids: readonly string[],
  isDelete: () => boolean,
  work: Work,
): Promise<void> {
  const asked = ids.map((id) => {
    const deleted = isDelete();
    return { id, deleted, version: oracle.asking(id, deleted) };
  });
  const items = asked.map(({ id, deleted, version }) =>
    deleted
      ? { id, delete: true }
      : { id, title: `version ${version}`, attributes: { version }, embedding: [...oracle.embedding(id, version)] },
  );
  const { status, body } = await postJson(url, '/index', { items });
  const answers = (body as { items?: { id: string; status: number }[] }).items ?? [];
  if (status !== 200) work.surprises.push(`/index ${status} ${JSON.stringify(body).slice(0, 200)}`);
  for (const [i, answer] of answers.entries()) {
    const { id, deleted, version } = asked[i] as (typeof asked)[number];
    // A delete of what is not there is done as well.
    if (answer.status < 300 || (deleted && answer.status === 404)) {
      oracle.acknowledge(id, version);
      work.writes += 1;
    } else work.surprises.push(`item ${JSON.stringify(answer).slice(0, 200)}`);
  }
}

async function search(url: string, oracle: Oracle, query: string, work: Work): Promise<void> {
  const gone = new Set(oracle.ids.filter(oracle.isSurelyGone));
  const { status, body } = await postJson(url, '/rank', {
    query,
    top_n: 100,
    recall_k: 100,
    rerank_k: 0,
    deadline_ms: 30_000,
  });
  if (status !== 200) {
    work.surprises.push(`/rank ${status} ${JSON.stringify(body).slice(0, 200)}`);
    return;
  }
  const { results } = body as { results: { id: string }[] };
  work.searches += 1;
  // One that was written again meanwhile may be there.
  work.goneInAnswers += results.filter(({ id }) => gone.has(id) && oracle.isSurelyGone(id)).length;
}

export async function takeSnapshot(url: string, oracle: Oracle, work: Work): Promise<void> {
  const before = oracle.now();
  const { status, body } = await postJson(url, '/snapshot');
  if (status === 200) work.snapshots.push({ name: (body as { name: string }).name, before });
  else work.surprises.push(`/snapshot ${status} ${JSON.stringify(body).slice(0, 200)}`);
}
