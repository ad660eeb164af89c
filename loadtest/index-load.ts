import { failureReason, type ServiceClient } from './client.ts';
import { type CoverItem, deleteCovers } from './covers.ts';
import { runOpenLoop } from './open-loop.ts';
import type { Random } from './random.ts';
import type { StreamReport } from './report.ts';
import { createStreamRecorder } from './stream-recorder.ts';

export interface IndexLoadOptions {
  readonly ratePerSecond: number;
  readonly seconds: number;
  readonly random: Random;
}

const ID_PREFIX = 'loadtest-';

/**
 * Indexes one cover a request at the given rate while others rank: the sample pictures, over and over, under ids of the
 * load test's own. `if_changed: false` makes each cost a run of the image tower. The covers are deleted at the end.
 */
export async function runIndexLoad(
  client: ServiceClient,
  covers: readonly CoverItem[],
  options: IndexLoadOptions,
): Promise<StreamReport> {
  const recorder = createStreamRecorder();
  const ids = new Set<string>();
  let sent = 0;

  async function send(dueAt: number): Promise<void> {
    const cover = covers[sent++ % covers.length] as CoverItem;
    const item = { ...cover, id: `${ID_PREFIX}${cover.id}`, if_changed: false };
    ids.add(item.id);
    try {
      const { status } = await client.post('/index', JSON.stringify({ items: [item] }));
      recorder.answered(status, performance.now() - dueAt);
    } catch (error) {
      recorder.failed(failureReason(error));
    }
  }

  try {
    await runOpenLoop(send, options);
    return recorder.finish(options.seconds);
  } finally {
    await deleteCovers(client, [...ids]);
  }
}
