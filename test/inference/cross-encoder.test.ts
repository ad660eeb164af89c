import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { CrossEncoder } from '../../src/core/ports.ts';
import type { ImageTokens } from '../../src/core/types.ts';
import { type Bundle, openBundle } from '../../src/inference/bundle.ts';
import { createCrossEncoder } from '../../src/inference/cross-encoder.ts';
import { openTokenizer } from '../../src/inference/model.ts';
import { type ModelPart, startModelPart } from '../../src/inference/model-part.ts';
import { madeTokens, r2d2Bundle } from '../convert/triton-model.ts';

let folder: string;
let bundle: Bundle;
let part: ModelPart;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coverrank-cross-'));
  bundle = await openBundle((await r2d2Bundle(folder)).dir);
  part = await startModelPart({
    name: 'rerank',
    bundle,
    graphs: ['rerank'],
    threads: 1,
    device: 'cpu',
    niceness: 0,
  });
});
after(async () => {
  await part.close();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly texts: number;
  readonly pairs: number;
}

/** The golden R2D2's reranker; its graph starts a run when the test opens the gate. */
function gated(
  t: TestContext,
  maxBatchPairs: number,
  now: () => number = () => performance.now(),
  sharesCores = false,
) {
  const runs: Run[] = [];
  const gates: (() => void)[] = [];
  const encoder: CrossEncoder = createCrossEncoder({
    model: bundle.ref,
    manifest: bundle.manifest,
    tokenizer: openTokenizer(bundle),
    maxQueued: 10,
    maxBatchPairs,
    sharesCores,
    now,
    // However slow the machine is, pairs alone decide what goes into a run.
    runTargetMs: Number.POSITIVE_INFINITY,
    part: {
      call: async (method, argument, transfer) => {
        const { inputs } = argument as { inputs: Record<string, { dims: readonly number[] }> };
        runs.push({ texts: inputs['input_ids']?.dims[0] ?? 0, pairs: inputs['pair_text']?.dims[0] ?? 0 });
        await new Promise<void>((resolve) => gates.push(resolve));
        return part.call(method, argument, transfer);
      },
    },
  });
  const openGates = setInterval(() => gates.shift()?.(), 1);
  t.after(() => clearInterval(openGates));
  return { encoder, runs };
}

const images = (count: number, from = 0): ImageTokens[] =>
  Array.from({ length: count }, (_, image) => madeTokens({ dir: bundle.dir, manifest: bundle.manifest }, from + image));
const caller = (): AbortSignal => new AbortController().signal;

test('pairs of several queries share a run of the graph, within the budget, and score as each does alone', async (t) => {
  const { encoder, runs } = gated(t, 16);
  const [long, short] = ['红烧肉的做法', '猫'].map((text) => encoder.prepare(text));
  assert.ok(long !== undefined && short !== undefined);
  const together = await Promise.all([
    encoder.score(long, images(40), caller()),
    encoder.score(short, images(4, 50), caller()),
  ]);
  assert.ok(runs.every(({ pairs }) => pairs <= 16));
  // The short query was let in behind the first run, and was done with the second.
  assert.deepEqual(
    runs.map(({ texts }) => texts),
    [1, 2, 1],
  );
  assert.equal(
    runs.reduce((sum, { pairs }) => sum + pairs, 0),
    44,
  );

  const { encoder: alone } = gated(t, 4);
  for (const [query, pictures, scored] of [
    [long, images(40), together[0]],
    [short, images(4, 50), together[1]],
  ] as const) {
    const expected = await alone.score(query, pictures, caller());
    assert.equal(scored.length, expected.length);
    for (const [pair, signals] of expected.entries()) {
      for (const name of encoder.signals) {
        const difference = Math.abs((signals[name] ?? 9) - (scored[pair]?.[name] ?? Number.NaN));
        assert.ok(difference < 1e-5, `${name} of pair ${pair} differs by ${difference}`);
      }
    }
  }
});

test('a text that several ask for goes through the text tower once', async (t) => {
  const { encoder, runs } = gated(t, 16);
  const busy = encoder.score(encoder.prepare('忙'), images(1), caller());
  const same = [1, 2, 3].map(() => encoder.score(encoder.prepare('一只猫'), images(2), caller()));
  await Promise.all([busy, ...same]);
  assert.deepEqual(runs, [
    { texts: 1, pairs: 1 },
    { texts: 1, pairs: 6 },
  ]);
  const [first, second] = await Promise.all(same);
  assert.deepEqual(first, second);
});

/** The shortest time that it expects `pairs` to be done in, to a thousandth. */
function neededMs(encoder: CrossEncoder, pairs: number): number {
  let [tooShort, enough] = [0, 60_000];
  while (enough - tooShort > enough / 1000) {
    const middle = (tooShort + enough) / 2;
    if (encoder.fittingPairs(pairs, middle) === pairs) enough = middle;
    else tooShort = middle;
  }
  return enough;
}

test('a chunk is no larger than what is left of the deadline can hold', async (t) => {
  const { encoder } = gated(t, 256);
  await encoder.score(encoder.prepare('猫'), images(16), caller());
  const pairMs = neededMs(encoder, 4) / 4;
  const few = encoder.fittingPairs(100, 3.5 * pairMs);
  assert.ok(few >= 1 && few <= 3, `${few} pairs`);
  assert.equal(encoder.fittingPairs(100, 0.9 * pairMs), 0);
});

test('pairs go behind texts on the same cores, or beside them with the little that is left', async (t) => {
  for (const sharesCores of [true, false]) {
    const { encoder } = gated(t, 256, undefined, sharesCores);
    await encoder.score(encoder.prepare('猫'), images(16), caller());
    const alone = neededMs(encoder, 4);
    const fits = (remainingMs: number, textsMs: number): boolean =>
      encoder.fittingPairs(4, remainingMs * 1.01, textsMs) === 4;
    assert.equal(fits(alone, alone), !sharesCores);
    assert.ok(fits(2 * alone, alone));
    assert.ok(fits(4 * alone, 1_000 * alone));
  }
});

test('a query behind a long one is expected to wait for its fair share alone', async (t) => {
  const { encoder } = gated(t, 16);
  await encoder.score(encoder.prepare('猫'), images(16), caller());
  const idle = neededMs(encoder, 4);
  const long = encoder.score(encoder.prepare('红烧肉'), images(400), caller());
  const busy = neededMs(encoder, 4);
  // A run of sixteen pairs that is under way, four of the long query, and its own.
  assert.ok(Math.abs(busy / idle - (16 + 4 + 4) / 4) < 0.01, `${idle} ms, then ${busy} ms`);
  await long;
});

test('an estimate that lets nothing through is put to the test by one pair, now and then', async (t) => {
  let clock = 0;
  const { encoder } = gated(t, 16, () => clock, true);
  const score = (pairs: number) => encoder.score(encoder.prepare('猫'), images(pairs), caller());
  await score(16);
  const tooShort = 0.1 * neededMs(encoder, 1);
  assert.equal(encoder.fittingPairs(50, tooShort), 0);
  clock += 2_000;
  assert.equal(encoder.fittingPairs(50, tooShort), 1);
  assert.equal(encoder.fittingPairs(50, tooShort, 1), 0);
  assert.equal(encoder.fittingPairs(50, 0), 0);
  const trial = score(1);
  assert.equal(encoder.fittingPairs(50, tooShort), 0);
  await trial;
  assert.equal(encoder.fittingPairs(50, tooShort), 0);
});
