import { serveThread } from '../core/thread.ts';
import { type GivenJudgement, openJudgementFile } from './judgement-file.ts';

/** The thread that writes judgements: a commit waits for the disk, and the event loop must not. */
export type JudgementWriterMethods = {
  put(judgements: readonly GivenJudgement[]): { created: number; updated: number; unchanged: number };
  remove(pair: { readonly query: string; readonly id: string }): boolean;
  close(argument: null): Promise<void>;
};

await serveThread<{ readonly path: string }>(({ path }): JudgementWriterMethods => openJudgementFile(path));
