import { createHash } from 'node:crypto';
import { failure } from '../../core/errors.ts';
import type { JudgementCounts, WrittenJudgements } from '../../core/ports.ts';
import type { Grade, Judgement } from '../../core/types.ts';
import { isDiskFull, isUnwritable } from '../disk/disk-failure.ts';
import { demandRoom } from '../lmdb/disk-room.ts';
import { type LmdbFile, openLmdb } from '../lmdb/open-lmdb.ts';
import { sealedByBytes, sealedByNumber } from '../lmdb/sealed-database.ts';

/**
 * What people judged, in an LMDB file of its own: it outlives any one bundle and its embeddings.
 *
 *   queries     topic (u32) → the query
 *   topics      sha256 of the query → topic, u32
 *   judgements  topic (u32, big-endian) and the cover's id → grade, u8, and when it was given, f64 in ms since 1970
 *
 * Topics are numbered from 1 in the order in which queries were first judged, and keep their number.
 *
 * Several threads of one process may each open the same file; each reads from its own view, which `refresh` moves to the
 * newest commit.
 */
export type JudgementFile = ReturnType<typeof openJudgementFile>;

/** A judgement as it is given: its topic and its time follow from when it is. */
export type GivenJudgement = Pick<Judgement, 'query' | 'id' | 'grade'>;

const TOPIC_BYTES = 4;
/** Leaves that may change or be split, in the three trees. */
const PAGES_PER_WRITE = 3;
const MAX_TOPIC = 0xffff_fffe;

/** Opens the file at `path`, making it when it is not there; what is there must have been checked (see `openStore`). */
export function openJudgementFile(path: string) {
  const env = openLmdb(path);
  const queries = sealedByNumber(env, 'queries');
  const topics = sealedByBytes(env, 'topics');
  const judgements = sealedByBytes(env, 'judgements');

  const topicOf = (query: string): number | undefined => topics.get(queryKey(query))?.readUInt32LE(0);

  /** Belongs inside a transaction. */
  function topicFor(query: string): number {
    const known = topicOf(query);
    if (known !== undefined) return known;
    const [last = 0] = queries.keys({ reverse: true, limit: 1 });
    const topic = last + 1;
    if (topic > MAX_TOPIC) throw new Error('the store has used up its topic numbers');
    const number = Buffer.alloc(TOPIC_BYTES);
    number.writeUInt32LE(topic);
    queries.put(topic, Buffer.from(query, 'utf8'));
    topics.put(queryKey(query), number);
    return topic;
  }

  return {
    /** Reads that follow see every commit made before this call. */
    refresh(): void {
      env.resetReadTxn();
    },
    topicOf,
    *queries(): Iterable<{ readonly topic: number; readonly query: string }> {
      for (const { key, value } of queries.entries()) {
        yield { topic: key, query: value.toString('utf8') };
      }
    },
    *list(query?: string): Iterable<Judgement> {
      const topic = query === undefined ? undefined : topicOf(query);
      if (query !== undefined && topic === undefined) return;
      const range = topic === undefined ? {} : { start: topicKey(topic), end: topicKey(topic + 1) };
      let current = { topic: 0, query: '' };
      for (const { key, value } of judgements.entries(range)) {
        const of = key.readUInt32BE(0);
        if (of !== current.topic) current = { topic: of, query: queries.get(of)?.toString('utf8') ?? '' };
        yield { ...current, id: key.toString('utf8', TOPIC_BYTES), ...decodeGrade(value) };
      }
    },
    /** Fsynced when it returns. Throws `storage_full` or `unavailable`, and nothing was written, when the disk does not take it. */
    put(given: readonly GivenJudgement[]): WrittenJudgements {
      return inTransaction(env, path, given.length, () => {
        const counts = { created: 0, updated: 0, unchanged: 0 };
        const judgedAtMs = Date.now();
        for (const { query, id, grade } of given) {
          const key = judgementKey(topicFor(query), id);
          const before = judgements.get(key);
          if (before !== undefined && before.readUInt8(0) === grade) counts.unchanged += 1;
          else {
            judgements.put(key, encodeGrade(grade, judgedAtMs));
            counts[before === undefined ? 'created' : 'updated'] += 1;
          }
        }
        return counts;
      });
    },
    /** Whether there was such a judgement; otherwise like `put`. */
    remove({ query, id }: Pick<Judgement, 'query' | 'id'>): boolean {
      return inTransaction(env, path, 1, () => {
        const topic = topicOf(query);
        if (topic === undefined) return false;
        const key = judgementKey(topic, id);
        if (!judgements.has(key)) return false;
        judgements.remove(key);
        return true;
      });
    },
    counts(): JudgementCounts {
      return { judgements: judgements.count, queries: queries.count };
    },
    async close(): Promise<void> {
      await env.close();
    },
  };
}

function inTransaction<T>(env: LmdbFile, path: string, writes: number, work: () => T): T {
  demandRoom(path, { bytes: 0, pages: PAGES_PER_WRITE * writes });
  try {
    return env.transactionSync(work);
  } catch (error) {
    if (isDiskFull(path, error)) {
      throw failure('storage_full', 'The disk is full: nothing of this was written.', { cause: error });
    }
    if (!isUnwritable(error)) throw error;
    throw failure('unavailable', 'The disk does not take writes: nothing of this was written.', { cause: error });
  }
}

function queryKey(query: string): Buffer {
  return createHash('sha256').update(query).digest();
}

function topicKey(topic: number): Buffer {
  const key = Buffer.alloc(TOPIC_BYTES);
  key.writeUInt32BE(topic);
  return key;
}

function judgementKey(topic: number, id: string): Buffer {
  return Buffer.concat([topicKey(topic), Buffer.from(id, 'utf8')]);
}

function encodeGrade(grade: Grade, judgedAtMs: number): Buffer {
  const value = Buffer.alloc(9);
  value.writeUInt8(grade, 0);
  value.writeDoubleLE(judgedAtMs, 1);
  return value;
}

function decodeGrade(value: Buffer): Pick<Judgement, 'grade' | 'judgedAtMs'> {
  return { grade: value.readUInt8(0) as Grade, judgedAtMs: value.readDoubleLE(1) };
}
