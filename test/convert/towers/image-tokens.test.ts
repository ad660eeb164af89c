import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig } from '../../../src/config.ts';
import { isFailure } from '../../../src/core/errors.ts';
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
  temporaryFolder,
  writeCheckpoint,
  writeGoldenCheckpoint,
} from '../golden-model.ts';
import { golden, HEADS, pixels, writeR2d2 } from '../r2d2-model.ts';

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
    assert.deepEqual(manifest.tokens, { count, width: 128, pool });
    assert.deepEqual(tokenBytes, { stored: count * (128 + 4), unpooled: 17 * (128 + 4) });

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
