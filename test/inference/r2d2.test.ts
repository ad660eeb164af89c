import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import type { ImageTokens } from '../../src/core/types.ts';
import { openModel } from '../../src/inference/model.ts';
import { convert, goldenPicture, temporaryFolder } from '../convert/golden-model.ts';
import { golden, HEADS, writeR2d2 } from '../convert/r2d2-model.ts';

const never = new AbortController().signal;
/** What is left between the pictures' pixels here and there is one step of 255 in few places. */
const TOLERANCE = 5e-3;

test('queries of different lengths that share a run score as in the reference code', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'bundle');
  await convert(await writeR2d2(folder), out, { ...HEADS, decoding: 'pillow' });
  const { threads, limits, device } = defaultConfig();
  const model = await openModel(out, { threads, limits, device });
  t.after(() => model.close());
  const crossEncoder = model.crossEncoder;
  assert.ok(crossEncoder);
  const expected = await golden();

  const tokens: ImageTokens[] = [];
  for (const name of expected.images) {
    const { features } = await model.coverEncoder.encode(await goldenPicture(name), never);
    assert.ok(features.tokens);
    tokens.push(features.tokens);
  }
  // The first call runs at once; the rest wait meanwhile and then share runs.
  const scores = await Promise.all(
    expected.texts.map((text) => crossEncoder.score(crossEncoder.prepare(text), tokens, never)),
  );
  for (const [text, ofText] of scores.entries()) {
    for (const [image, signals] of ofText.entries()) {
      for (const signal of ['itm_text', 'itm_image'] as const) {
        const difference = Math.abs((signals[signal] ?? Number.NaN) - (expected[signal][image]?.[text] ?? Number.NaN));
        assert.ok(difference < TOLERANCE, `${signal} of text ${text} and image ${image} differs by ${difference}`);
      }
    }
  }
});
