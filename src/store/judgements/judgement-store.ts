import type { JudgementStore } from '../../core/ports.ts';
import { startThread, type Thread } from '../../core/thread.ts';
import { openJudgementFile } from './judgement-file.ts';
import type { JudgementWriterMethods } from './judgement-writer-thread.ts';

export interface OpenedJudgementStore extends JudgementStore {
  close(): Promise<void>;
}

type Writer = Thread<JudgementWriterMethods>;

/**
 * Opens the judgements at `path`, which are made when they are not there. They are read here and written by a thread of
 * their own, which starts with the first write: most services never get one. The file must have been checked before.
 */
export function openJudgementStore(path: string): OpenedJudgementStore {
  const file = openJudgementFile(path);
  let starting: Promise<Writer> | undefined;

  function writer(): Promise<Writer> {
    starting ??= start().catch((error: unknown) => {
      starting = undefined;
      throw error;
    });
    return starting;
  }

  async function start(): Promise<Writer> {
    const url = new URL('./judgement-writer-thread.js', import.meta.url);
    const thread = await startThread<JudgementWriterMethods>(url, { path }, { name: 'judgements' });
    // The next write starts another.
    thread.died.then(() => {
      starting = undefined;
    });
    return thread;
  }

  return {
    topicOf: file.topicOf,
    queries: file.queries,
    list: file.list,
    counts: file.counts,
    async put(judgements) {
      const written = await (await writer()).call('put', judgements);
      file.refresh();
      return written;
    },
    async putPacked(judgements) {
      const written = await (await writer()).call('putPacked', judgements, [judgements.buffer]);
      file.refresh();
      return written;
    },
    async remove(query, id) {
      const removed = await (await writer()).call('remove', { query, id });
      file.refresh();
      return removed;
    },
    async close() {
      const thread = await starting?.catch(() => undefined);
      await thread?.call('close', null).catch(() => {});
      await thread?.close();
      await file.close();
    },
  };
}
