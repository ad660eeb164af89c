import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import sharp from 'sharp';
import { defaultConfig } from '../../src/config.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { type Model, openModel } from '../../src/inference/model.ts';

const { threads, limits, device } = defaultConfig();
const never = new AbortController().signal;
const sample = readFileSync(join(packageRoot, 'index/samples/cover-0000.webp'));
let model: Model;
let large: Buffer;
before(async () => {
  model = await openModel(join(packageRoot, 'models/demo'), { threads, limits, device });
  large = await sharp({ create: { width: 4800, height: 4800, channels: 3, background: 'red' } })
    .jpeg()
    .toBuffer();
});
after(() => model.close());

const isCancelled = (error: unknown) => isFailure(error, 'cancelled');

/** Encodes pictures for a caller who will leave. */
function leaving(pictures: readonly Buffer[]) {
  const caller = new AbortController();
  setMaxListeners(0, caller.signal); // every picture listens
  const encoding = pictures.map((picture) => model.coverEncoder.encode(picture, caller.signal));
  return {
    async leave() {
      caller.abort();
      await Promise.all(encoding.map((one) => assert.rejects(one, isCancelled)));
    },
  };
}

test('pictures that wait when their caller leaves are never decoded', async () => {
  let changes = 0; // sharp tells the length of its queue when a job enters it and when one ends
  const count = (): unknown => changes++;
  sharp.queue.on('change', count);
  try {
    const caller = leaving(new Array(20).fill(sample));
    await nextTurn();
    await caller.leave();
    // Pictures have their turn one after the other, so by now those of the caller had theirs.
    await model.coverEncoder.encode(sample, never);
  } finally {
    sharp.queue.off('change', count);
  }
  // Two were being decoded; the last one was decoded and made a thumbnail of.
  assert.ok(changes <= 2 * 4, `${changes} changes of the queue`);
});

test('a picture whose caller left keeps its decoder until it is decoded', async () => {
  const caller = leaving([large, large]);
  while (sharp.counters().process < 2) await nextTurn();
  await caller.leave();
  let most = 0;
  const look = (): void => {
    most = Math.max(most, sharp.counters().process);
  };
  let isDone = false;
  const later = Promise.all([1, 2, 3, 4].map(() => model.coverEncoder.encode(sample, never))).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    look();
    await nextTurn();
  }
  await later;
  assert.equal(most, 2);
});

test('what was decoded for a caller who left takes no room from others', async () => {
  // Three of them are more than may be held decoded at once.
  for (let time = 0; time < 3; time++) {
    const caller = leaving([large]);
    await changesOfQueue(3); // decoding began and ended, its thumbnail began
    await caller.leave();
    while (sharp.counters().process + sharp.counters().queue > 0) await nextTurn();
  }
  const { features } = await model.coverEncoder.encode(sample, AbortSignal.timeout(60_000));
  assert.equal(features.embedding.length, 192);
});

function changesOfQueue(count: number): Promise<void> {
  return new Promise((resolve) => {
    let changes = 0;
    sharp.queue.on('change', function look() {
      if (++changes < count) return;
      sharp.queue.off('change', look);
      resolve();
    });
  });
}
