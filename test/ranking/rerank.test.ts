import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { failure, isFailure } from '../../src/core/errors.ts';
import type { CoverIndex, CrossEncoder } from '../../src/core/ports.ts';
import type { ImageTokens } from '../../src/core/types.ts';
import type { Deadline } from '../../src/ranking/deadline.ts';
import { rerank } from '../../src/ranking/rerank.ts';

/** A clock that the cross-encoder below moves on, so that deadlines are exact. */
function manualDeadline(deadlineMs: number): Deadline & { pass(ms: number): void } {
  let elapsed = 0;
  const ends: { readonly at: number; readonly timeout: AbortController }[] = [];
  const endingAt = (at: number): Deadline => {
    const timeout = new AbortController();
    ends.push({ at, timeout });
    return {
      signal: timeout.signal,
      remainingMs: () => at - elapsed,
      elapsedMs: () => elapsed,
      sooner: (ms) => endingAt(at - ms),
      clear: () => {},
    };
  };
  return {
    ...endingAt(deadlineMs),
    pass(ms) {
      elapsed += ms;
      for (const { at, timeout } of ends) if (elapsed > at) timeout.abort(new DOMException('', 'TimeoutError'));
    },
  };
}

interface Costs {
  readonly deadline: ReturnType<typeof manualDeadline>;
  readonly expectedPairMs: number;
  readonly realPairMs?: number;
  readonly failAtChunk?: { readonly chunk: number; readonly error: Error };
}

function crossEncoder({ deadline, expectedPairMs, realPairMs = expectedPairMs, failAtChunk }: Costs) {
  const chunks: number[] = [];
  /** One chunk runs after the other, however early it was asked for. */
  let running = Promise.resolve();
  let pairsAhead = 0;
  const encoder: CrossEncoder = {
    model: { name: 'test', hash: '' },
    signals: ['itm'],
    prepare: () => ({ tokenIds: [] }),
    fittingPairs: (pairs, remainingMs, textsMs = 0) =>
      Math.min(pairs, 8, Math.floor((remainingMs - textsMs) / expectedPairMs) - pairsAhead),
    async score(_query, images) {
      chunks.push(images.length);
      const chunk = chunks.length;
      pairsAhead += images.length;
      running = running.then(() => setImmediate());
      await running;
      pairsAhead -= images.length;
      if (failAtChunk?.chunk === chunk) throw failAtChunk.error;
      deadline.pass(images.length * realPairMs);
      return images.map((image) => ({ itm: image.scales[0] ?? 0 }));
    },
  };
  return { encoder, chunks };
}

function indexWithout(...lost: string[]): CoverIndex {
  const tokens = (ids: readonly string[]): (ImageTokens | undefined)[] =>
    ids.map((id) =>
      lost.includes(id) ? undefined : { values: new Int8Array(1), scales: Float32Array.of(Number(id)) },
    );
  return { tokens } as Partial<CoverIndex> as CoverIndex;
}

const ids = Array.from({ length: 20 }, (_, number) => String(number));

test('every cover is scored in chunks of the size that the cross-encoder finds fitting', async () => {
  const deadline = manualDeadline(1000);
  const { encoder, chunks } = crossEncoder({ deadline, expectedPairMs: 1 });
  const { signals, degraded } = await rerank({ query: 'q', ids, deadline }, encoder, indexWithout());
  assert.deepEqual(chunks, [8, 8, 4]);
  assert.equal(degraded, undefined);
  assert.deepEqual(
    [...signals].map(([id, { itm }]) => [id, itm]),
    ids.map((id) => [id, Number(id)]),
  );
});

test('the time that texts of others take is not there for pairs', async () => {
  const deadline = manualDeadline(20);
  const { encoder, chunks } = crossEncoder({ deadline, expectedPairMs: 1 });
  const reranked = await rerank({ query: 'q', ids, deadline, textsAheadMs: () => 7 }, encoder, indexWithout());
  assert.deepEqual(chunks, [5]);
  assert.deepEqual(reranked.degraded, { stage: 'rerank', reason: 'deadline_exceeded', reranked: 5, wanted: 20 });
});

test('it stops before a chunk that the deadline cannot hold, and says how far it came', async () => {
  const deadline = manualDeadline(20);
  const { encoder, chunks } = crossEncoder({ deadline, expectedPairMs: 1 });
  const { signals, degraded } = await rerank({ query: 'q', ids, deadline }, encoder, indexWithout());
  assert.deepEqual(chunks, [8, 4]);
  assert.deepEqual([...signals.keys()], ids.slice(0, 12));
  assert.deepEqual(degraded, { stage: 'rerank', reason: 'deadline_exceeded', reranked: 12, wanted: 20 });
});

test('only the share that the load leaves room for is scored, the best by recall, and the rest is told', async () => {
  const deadline = manualDeadline(1000);
  const { encoder, chunks } = crossEncoder({ deadline, expectedPairMs: 1 });
  const { signals, degraded } = await rerank({ query: 'q', ids, share: 0.51, deadline }, encoder, indexWithout());
  assert.deepEqual(chunks, [8, 3]);
  assert.deepEqual([...signals.keys()], ids.slice(0, 11));
  assert.deepEqual(degraded, { stage: 'rerank', reason: 'overloaded', reranked: 11, wanted: 20 });
  const one = await rerank({ query: 'q', ids: ['7'], share: 0.01, deadline }, encoder, indexWithout());
  assert.deepEqual([one.signals.size, one.degraded], [1, undefined]);
});

test('a chunk that takes longer than expected is lost, the ones before it stand', async () => {
  const deadline = manualDeadline(100);
  const { encoder } = crossEncoder({ deadline, expectedPairMs: 1, realPairMs: 9 });
  const { signals, degraded } = await rerank({ query: 'q', ids, deadline }, encoder, indexWithout());
  assert.equal(signals.size, 8);
  assert.equal(degraded?.reason, 'deadline_exceeded');
});

for (const [error, reason] of [
  [failure('overloaded', ''), 'overloaded'],
  [failure('unavailable', ''), 'unavailable'],
  [new Error('NaN'), 'error'],
] as const) {
  test(`a cross-encoder that fails (${reason}) leaves a ranking and a reason`, async () => {
    const deadline = manualDeadline(1000);
    const { encoder } = crossEncoder({ deadline, expectedPairMs: 1, failAtChunk: { chunk: 2, error } });
    const { signals, degraded } = await rerank({ query: 'q', ids, deadline }, encoder, indexWithout());
    assert.equal(signals.size, 8);
    assert.deepEqual(degraded, { stage: 'rerank', reason, reranked: 8, wanted: 20 });
  });
}

test('the next chunk waits its turn while one is scored, and is called off when that one fails', async () => {
  const deadline = manualDeadline(1000);
  const { encoder } = crossEncoder({ deadline, expectedPairMs: 1 });
  const signals: AbortSignal[] = [];
  let fail: ((error: Error) => void) | undefined;
  const waiting: CrossEncoder = {
    ...encoder,
    score: (_query, _images, signal) => {
      signals.push(signal);
      return new Promise((_, reject) => {
        fail ??= reject;
      });
    },
  };
  const reranking = rerank({ query: 'q', ids, deadline }, waiting, indexWithout());
  await setImmediate();
  assert.equal(signals.length, 2);
  fail?.(failure('unavailable', ''));
  assert.equal((await reranking).degraded?.reason, 'unavailable');
  assert.ok(signals.every(({ aborted }) => aborted));
});

test('a caller who left ends the work', async () => {
  const deadline = manualDeadline(1000);
  const failAtChunk = { chunk: 1, error: failure('cancelled', '') };
  const { encoder } = crossEncoder({ deadline, expectedPairMs: 1, failAtChunk });
  await assert.rejects(rerank({ query: 'q', ids, deadline }, encoder, indexWithout()), (error) =>
    isFailure(error, 'cancelled'),
  );
});

test('an index whose tokens cannot be read leaves a ranking and a reason', async () => {
  for (const readable of [0, 1]) {
    const deadline = manualDeadline(1000);
    const { encoder } = crossEncoder({ deadline, expectedPairMs: 1 });
    const whole = indexWithout();
    let reads = 0;
    const tokens: CoverIndex['tokens'] = (chunk) => {
      if (reads++ < readable) return whole.tokens(chunk);
      throw failure('unavailable', 'The index is closed.');
    };
    const { signals, degraded } = await rerank({ query: 'q', ids, deadline }, encoder, { ...whole, tokens });
    assert.equal(signals.size, 8 * readable);
    assert.deepEqual(degraded, { stage: 'rerank', reason: 'unavailable', reranked: 8 * readable, wanted: 20 });
  }
});

test('a cover that lost its tokens since recall is passed over', async () => {
  const deadline = manualDeadline(1000);
  const { encoder } = crossEncoder({ deadline, expectedPairMs: 1 });
  const { signals, degraded } = await rerank(
    { query: 'q', ids: ids.slice(0, 3), deadline },
    encoder,
    indexWithout('1'),
  );
  assert.deepEqual([...signals.keys()], ['0', '2']);
  assert.equal(degraded, undefined);
});
