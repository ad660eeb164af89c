import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig } from '../../../src/config.ts';
import { tokenShape } from '../../../src/convert/architectures/lengths.ts';
import type { TokenBits } from '../../../src/convert/towers/image-tokens.ts';
import { isFailure } from '../../../src/core/errors.ts';
import type { Tensor, TensorMap } from '../../../src/core/ports.ts';
import { openModel } from '../../../src/inference/model.ts';
import { openOfflineModel } from '../../../src/inference/offline-model.ts';
import {
  convert,
  floats,
  goldenPicture,
  goldenPixels,
  goldenResnet,
  goldenTensors,
  graph,
  largestDifference,
  temporaryFolder,
  writeCheckpoint,
  writeGoldenCheckpoint,
} from '../golden-model.ts';
import { golden, HEADS, pixels, writeR2d2 } from '../r2d2-model.ts';

/** A stored token as its bytes say: int8 steps of the scale, and behind them what these rounded away. */
function decoded(bytes: Int8Array, scale: number, width: number, bits: TokenBits): number[] {
  const levels = 2 ** (bits - 8);
  return Array.from({ length: width }, (_, column) => {
    const whole = bytes[column] ?? Number.NaN;
    if (bits === 8) return whole * scale;
    if (bits === 16) return (whole + (bytes[width + column] ?? Number.NaN) / 254) * scale;
    // The columns lie in as many blocks as a byte has places.
    const block = (width * (bits - 8)) / 8;
    const packed = (bytes[width + (column % block)] ?? Number.NaN) + 128;
    const level = Math.floor(packed / levels ** Math.floor(column / block)) % levels;
    return (whole + (level + 0.5) / levels - 0.5) * scale;
  });
}

for (const [bits, steps] of [
  [8, 1],
  [10, 4],
  [12, 16],
  [16, 254],
] as const) {
  test(`tokens of ${bits} bits come back to half of 1/${steps} of a step, in the graph as by hand`, async (t) => {
    const folder = await temporaryFolder(t);
    await convert(await writeGoldenCheckpoint(folder), join(folder, 'bundle'), { tokenBits: bits });
    const [image, rerank, exact] = await Promise.all(
      ['image', 'rerank', 'rerank_float'].map((name) => graph(t, join(folder, 'bundle'), name)),
    );
    const features = await image?.run({ pixel_values: await goldenPixels() });
    const { tokens, tokens_int8: stored, token_scale: scales } = features ?? {};
    assert.ok(tokens !== undefined && scales !== undefined && stored?.data instanceof Int8Array);
    const [pictures = 0, count = 0, width = 0] = tokens.dims;
    const bytes = (width * bits) / 8;
    assert.deepEqual(stored.dims, [pictures, count, bytes]);
    const values = stored.data;
    const back = Array.from({ length: pictures * count }, (_, token) =>
      decoded(values.subarray(token * bytes, (token + 1) * bytes), floats(scales)[token] ?? 0, width, bits),
    ).flat();
    floats(tokens).forEach((value, index) => {
      const step = (floats(scales)[Math.floor(index / width)] ?? 0) / steps;
      assert.ok(Math.abs(value - (back[index] ?? Number.NaN)) <= 0.501 * step, `number ${index}`);
    });

    const texts: TensorMap = {
      input_ids: { type: 'int64', dims: [1, 20], data: BigInt64Array.from({ length: 20 }, (_, id) => BigInt(id)) },
      pair_text: { type: 'int64', dims: [pictures], data: new BigInt64Array(pictures) },
    };
    const scores = await rerank?.run({ ...texts, tokens_int8: stored, token_scale: scales });
    const byHand: Tensor = { ...tokens, data: Float32Array.from(back) };
    const expected = await exact?.run({ ...texts, tokens: byHand });
    assert.ok(largestDifference(floats(scores?.['ocr_semantic']), [...floats(expected?.['ocr_semantic'])]) < 1e-5);
  });
}

test('a width that does not fill bytes takes 16 bits, and is refused by name where others were asked for', () => {
  const vision = { kind: 'vit', width: 130, layers: 1, heads: 1, mlpWidth: 1, patch: 16, grid: 4, size: 64 } as const;
  const shape = (tokenBits?: TokenBits) => tokenShape(vision, 64, { tokenBits, poolTokens: undefined }, 10);
  assert.throws(() => shape(10), /--token-bits 10 does not fit tokens of 130 numbers/);
  assert.equal(shape(12).count, 17);
  assert.equal(shape().bits, 16);
});

/** Patches along one side of both golden models. */
const GRID = 4;

/** Means of pool x pool patches, worked out one by one; at the border of as many as there are. */
function pooledByHand(tokens: Float32Array, width: number, pool: number): number[] {
  const cells = Math.ceil(GRID / pool);
  const rows = [[...tokens.subarray(0, width)]];
  for (let cell = 0; cell < cells * cells; cell++) {
    const [top, left] = [Math.floor(cell / cells) * pool, (cell % cells) * pool];
    const members = Array.from({ length: GRID * GRID }, (_, patch) => patch).filter((patch) => {
      const [y, x] = [Math.floor(patch / GRID), patch % GRID];
      return y >= top && y < top + pool && x >= left && x < left + pool;
    });
    const sum = (column: number): number =>
      members.reduce((total, patch) => total + (tokens[(1 + patch) * width + column] ?? Number.NaN), 0);
    rows.push(Array.from({ length: width }, (_, column) => sum(column) / members.length));
  }
  return rows.flat();
}

for (const [pool, count] of [
  [2, 5],
  // Three patches of four, and what is left at the right and at the bottom.
  [3, 5],
  [4, 2],
] as const) {
  test(`pooled ${pool} x ${pool}, a cover keeps its class token and the means of its patches`, async (t) => {
    const folder = await temporaryFolder(t);
    const checkpoint = await writeGoldenCheckpoint(folder);
    const [all, pooled] = [join(folder, 'all'), join(folder, 'pooled')];
    await convert(checkpoint, all);
    const { manifest, tokenBytes } = await convert(checkpoint, pooled, { poolTokens: pool });
    assert.deepEqual(manifest.tokens, { count, width: 160, pool });
    assert.deepEqual(tokenBytes, { stored: count * (160 + 4), unpooled: 17 * (160 + 4) });

    const input = { pixel_values: await goldenPixels() };
    const exact = await (await graph(t, all, 'image')).run(input);
    const got = await (await graph(t, pooled, 'image')).run(input);
    const [tokens, kept] = [floats(exact['tokens']), floats(got['tokens'])];
    for (const picture of [0, 1]) {
      const expected = pooledByHand(tokens.subarray(picture * 17 * 128, (picture + 1) * 17 * 128), 128, pool);
      const made = kept.subarray(picture * count * 128, (picture + 1) * count * 128);
      assert.equal(made.length, expected.length);
      expected.forEach((value, index) => {
        assert.ok(Math.abs(value - (made[index] ?? Number.NaN)) < 1e-4, `${index}`);
      });
    }
    // Presence and embedding look at all patches, as before.
    assert.deepEqual(got['ocr_presence']?.data, exact['ocr_presence']?.data);
    assert.deepEqual(got['embedding']?.data, exact['embedding']?.data);
  });
}

test('a pooled bundle loads, tests itself and reranks with fewer tokens of a cover', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'pooled');
  await convert(await writeR2d2(folder), out, { ...HEADS, poolTokens: 2 });
  const model = await openModel(out, defaultConfig());
  t.after(() => model.close());
  const { tokens } = await model.coverEncoder.features(
    await goldenPicture('landscape.jpg'),
    new AbortController().signal,
  );
  assert.equal(tokens?.scales.length, 5);
  assert.ok(tokens !== undefined && model.crossEncoder !== undefined);
  const query = model.crossEncoder.prepare('短视频');
  const [signals] = await model.crossEncoder.score(query, [tokens], new AbortController().signal);
  assert.ok((signals?.['itm_text'] ?? 0) > 0 && (signals?.['itm_image'] ?? 0) > 0);
});

test('one token for all patches says less than four: pooling costs, and the more the more', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeR2d2(folder);
  const expected = await golden();
  const { data, shape } = await pixels();
  const errors: number[] = [];
  for (const poolTokens of [1, 2, 4]) {
    const out = join(folder, `pool-${poolTokens}`);
    await convert(checkpoint, out, { ...HEADS, poolTokens });
    const model = await openOfflineModel(out, { maxPixels: 1e7 });
    t.after(() => model.close());
    const images = await model.encodePixels(data, shape[0] ?? 0);
    let squares = 0;
    for (const [text, query] of expected.texts.entries()) {
      for (const [image, { itm_text = Number.NaN }] of (await model.crossScore(query, images)).entries()) {
        squares += (itm_text - (expected.itm_text[image]?.[text] ?? 0)) ** 2;
      }
    }
    errors.push(squares);
  }
  const [none = 1, some = 0, most = 0] = errors;
  assert.ok(none < some && some < most, errors.join());
});

test('pooling is refused where there is nothing to pool', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  const golden = await writeCheckpoint(folder, tensors);
  await assert.rejects(
    convert(golden, join(folder, 'no'), { poolTokens: 5 }),
    (error) => isFailure(error, 'invalid_config') && /--pool-tokens 5 is out of range.*4 x 4/.test(error.detail),
  );
  const text = [...tensors].filter(([name]) => /^(bert\.|text_projection)/.test(name));
  const { tensors: resnet } = await goldenResnet(folder);
  const headless = await writeCheckpoint(folder, new Map([...text, ...resnet]));
  await assert.rejects(
    convert(headless, join(folder, 'no'), { poolTokens: 2 }),
    (error) => isFailure(error, 'invalid_config') && /--pool-tokens does not apply/.test(error.detail),
  );
});
