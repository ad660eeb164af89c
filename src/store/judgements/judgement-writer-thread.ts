import type { WrittenJudgements } from '../../core/ports.ts';
import { serveThread } from '../../core/thread.ts';
import { type GivenJudgement, openJudgementFile } from './judgement-file.ts';

/** The thread that writes judgements: a commit waits for the disk, and the event loop must not. */
export type JudgementWriterMethods = {
  put(judgements: readonly GivenJudgement[]): WrittenJudgements;
  /** A JSON array of them in UTF-8. */
  putPacked(judgements: Uint8Array): WrittenJudgements;
  remove(pair: { readonly query: string; readonly id: string }): boolean;
  close(argument: null): Promise<void>;
};

await serveThread<{ readonly path: string }>(({ path }): JudgementWriterMethods => {
  const file = openJudgementFile(path);
  return {
    ...file,
    putPacked: (judgements) => file.put(JSON.parse(new TextDecoder().decode(judgements)) as GivenJudgement[]),
  };
});
