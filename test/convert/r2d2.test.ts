import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openCheckpoint } from '../../src/convert/checkpoint/open-checkpoint.ts';
import { inspectCheckpoint } from '../../src/convert/inspect.ts';
import { isFailure } from '../../src/core/errors.ts';
import type { TensorMap } from '../../src/core/ports.ts';
import { decodeImage } from '../../src/inference/image.ts';
import { type ExactFeatures, type OfflineModel, openOfflineModel } from '../../src/inference/offline-model.ts';
import { padTexts } from '../../src/inference/text-encoder.ts';
import { signalsOf, weigh } from '../../src/ranking/fuse.ts';
import { convert, cosine, floats, goldenPicture, graph, largestDifference, temporaryFolder } from './golden-model.ts';
import { type Golden, golden, HEADS, pixels, writeR2d2 } from './r2d2-model.ts';
import { floatTensor, type StoredTensor, torchZip } from './torch-file.ts';

const COSINE_TOLERANCE = 1e-5;
const ITM_TOLERANCE = 5e-5;
const STORED_TOLERANCE = 5e-3;

async function tensors(folder: string): Promise<Map<string, StoredTensor>> {
  const checkpoint = await openCheckpoint(await writeR2d2(folder));
  const all = new Map<string, StoredTensor>();
  for (const name of checkpoint.names) {
    const tensor = checkpoint.tensor(name);
    all.set(name, floatTensor(tensor.shape, await tensor.read()));
  }
  await checkpoint.close();
  return all;
}

async function written(folder: string, all: ReadonlyMap<string, StoredTensor>): Promise<string> {
  const file = join(folder, 'written.pth');
  await writeFile(file, torchZip(Object.fromEntries(all)));
  return file;
}

async function converted(t: TestContext, changes: Parameters<typeof convert>[2] = {}): Promise<string> {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'bundle');
  await convert(await writeR2d2(folder), out, { ...HEADS, ...changes });
  return out;
}

async function opened(t: TestContext, folder: string): Promise<OfflineModel> {
  const model = await openOfflineModel(folder, { maxPixels: 1e7 });
  t.after(() => model.close());
  return model;
}

test('what stands in the checkpoint decides sizes, signals, tokenizer and weights', async (t) => {
  const folder = await temporaryFolder(t);
  const { manifest, dropped, unknown, sizes } = await convert(await writeR2d2(folder), join(folder, 'mini'), HEADS);
  assert.equal(manifest.architecture, 'r2d2 ViT-96x2/14 + BERT-64x2');
  assert.deepEqual(manifest.signals, ['cosine', 'itm_text', 'itm_image', 'itm']);
  assert.deepEqual(manifest.fusion, { cosine: 1, itm: 1 });
  assert.deepEqual(manifest.rerank, { context_length: 64, signals: ['itm_text', 'itm_image'] });
  assert.deepEqual(manifest.tokens, { count: 17, width: 192 });
  assert.equal(manifest.tokenizer.special_tokens_in_text, true);
  assert.equal(manifest.tokenizer.max_word_characters, 100);
  assert.equal(manifest.tokenizer.context_length, 64);
  assert.equal(sizes['image_joint_layers'], 2);
  assert.deepEqual(unknown, []);
  for (const name of [
    'temp',
    'visual_encoder.post_layernorm.weight',
    'text_encoder.pooler.dense.bias',
    'img_joint_layer.embeddings.word_embeddings.weight',
  ]) {
    assert.ok(dropped.includes(name), name);
  }
});

test('every text, picture and pair scores as in the reference code', async (t) => {
  const expected = await golden();
  const model = await opened(t, await converted(t));
  for (const [index, text] of expected.texts.entries()) {
    assert.deepEqual(model.tokenize(text).ids, expected.token_ids[index], text);
  }
  const texts = await model.encodeTexts(expected.texts);
  for (const [index, embedding] of texts.entries()) {
    assert.ok(largestDifference(embedding, expected.text_embedding[index] ?? []) < 1e-6);
  }
  const { data, shape } = await pixels();
  const images = await model.encodePixels(data, shape[0] ?? 0);
  for (const [index, { embedding }] of images.entries()) {
    assert.ok(largestDifference(embedding, expected.image_embedding[index] ?? []) < 1e-6);
  }
  const largest = await largestErrors(model, expected, texts, images);
  assert.ok(largest.cosine < COSINE_TOLERANCE, String(largest.cosine));
  assert.ok(largest.itm < ITM_TOLERANCE, String(largest.itm));
  assert.ok(largest.score < ITM_TOLERANCE, String(largest.score));
});

/** Over all pairs, with the score being the fused one under the bundle's own weights. */
async function largestErrors(
  model: OfflineModel,
  expected: Golden,
  texts: readonly Float32Array[],
  images: readonly ExactFeatures[],
): Promise<{ cosine: number; itm: number; score: number }> {
  const largest = { cosine: 0, itm: 0, score: 0 };
  for (const [text, query] of expected.texts.entries()) {
    const crossed = await model.crossScore(query, images);
    for (const [image, reranked] of crossed.entries()) {
      const dot = (texts[text] ?? new Float32Array()).reduce(
        (sum, value, at) => sum + value * (images[image]?.embedding[at] ?? 0),
        0,
      );
      const signals = signalsOf(dot, undefined, reranked);
      const score = weigh(signals, model.bundle.manifest.fusion).relevanceScore;
      const wanted = (matrix: readonly (readonly number[])[]): number => matrix[image]?.[text] ?? Number.NaN;
      const itmErrors = [
        Math.abs((signals['itm_text'] ?? Number.NaN) - wanted(expected.itm_text)),
        Math.abs((signals['itm_image'] ?? Number.NaN) - wanted(expected.itm_image)),
      ];
      largest.cosine = Math.max(largest.cosine, Math.abs(dot - wanted(expected.cosine)));
      largest.itm = Math.max(largest.itm, ...itmErrors);
      largest.score = Math.max(largest.score, Math.abs(score - wanted(expected.score)));
    }
  }
  return largest;
}

/** Every golden text with picture number (text modulo pictures), in one batch. */
async function batchedPairs(out: string, t: TestContext, expected: Golden): Promise<{ got: TensorMap; pairs: number }> {
  const { data, shape } = await pixels();
  const image = await (await graph(t, out, 'image')).run({ pixel_values: { type: 'float32', dims: shape, data } });
  const pairs = expected.texts.length;
  const [stored, scales] = [image['tokens_int8'], image['token_scale']];
  assert.ok(stored?.data instanceof Int8Array);
  const [, count = 0, width = 0] = stored.dims;
  const values = new Int8Array(pairs * count * width);
  const scale = new Float32Array(pairs * count);
  for (let pair = 0; pair < pairs; pair++) {
    const from = pair % expected.images.length;
    values.set(stored.data.subarray(from * count * width, (from + 1) * count * width), pair * count * width);
    scale.set(floats(scales).subarray(from * count, (from + 1) * count), pair * count);
  }
  const rerank = await graph(t, out, 'rerank');
  const got = await rerank.run({
    ...padTexts(expected.token_ids),
    pair_text: { type: 'int64', dims: [pairs], data: BigInt64Array.from({ length: pairs }, (_, pair) => BigInt(pair)) },
    tokens_int8: { type: 'int8', dims: [pairs, count, width], data: values },
    token_scale: { type: 'float32', dims: [pairs, count], data: scale },
  });
  return { got, pairs };
}

test('texts padded beside longer ones and stored tokens score alike', async (t) => {
  const expected = await golden();
  for (const [tokenBits, tolerance] of [
    [16, STORED_TOLERANCE],
    // The coarse steps of eight bits show in a model that takes tokens without a norm; hence not the default.
    [8, 0.07],
  ] as const) {
    const { got, pairs } = await batchedPairs(await converted(t, { tokenBits }), t, expected);
    for (const signal of ['itm_text', 'itm_image'] as const) {
      const wanted = Array.from({ length: pairs }, (_, pair) => expected[signal][pair % 9]?.[pair] ?? Number.NaN);
      assert.ok(largestDifference(floats(got[signal]), wanted) < tolerance, `${tokenBits} bits`);
    }
  }
});

test('int8 embeddings point where the reference ones do, and int8 matching agrees on the whole', async (t) => {
  const expected = await golden();
  const model = await opened(t, await converted(t, { precision: 'int8' }));
  const texts = await model.encodeTexts(expected.texts);
  texts.forEach((embedding, index) => {
    assert.ok(cosine(embedding, expected.text_embedding[index] ?? []) > 0.997);
  });
  const { data, shape } = await pixels();
  const images = await model.encodePixels(data, shape[0] ?? 0);
  images.forEach(({ embedding }, index) => {
    assert.ok(cosine(embedding, expected.image_embedding[index] ?? []) > 0.999);
  });
  let squares = 0;
  for (const [text, query] of expected.texts.entries()) {
    for (const [image, signals] of (await model.crossScore(query, images)).entries()) {
      squares += ((signals['itm_text'] ?? Number.NaN) - (expected.itm_text[image]?.[text] ?? 0)) ** 2;
      squares += ((signals['itm_image'] ?? Number.NaN) - (expected.itm_image[image]?.[text] ?? 0)) ** 2;
    }
  }
  assert.ok(Math.sqrt(squares / (2 * expected.texts.length * expected.images.length)) < 0.05);
});

test('pictures read as by the reference code become its pixels, whatever their kind', async (t) => {
  const expected = await golden();
  const out = await converted(t, { decoding: 'pillow' });
  const manifest = JSON.parse(await readFile(join(out, 'bundle.json'), 'utf8')) as { image: { decoding: string } };
  assert.equal(manifest.image.decoding, 'pillow_rgb');
  const session = await graph(t, out, 'preprocess');
  const { data } = await pixels();
  const size = 3 * 56 * 56;
  // One step of 255, in units of the colour with the least deviation.
  const step = 1 / 255 / 0.26130258;
  for (const [index, name] of expected.images.entries()) {
    const options = { decoding: 'pillow_rgb', maxPixels: 1e7, size: 56 } as const;
    const picture = await decodeImage(await goldenPicture(name), options, new AbortController().signal);
    const { pixel_values: got } = await session.run({
      image: { type: 'uint8', dims: [picture.height, picture.width, 3], data: picture.data },
    });
    assert.ok(largestDifference(floats(got), [...data.subarray(index * size, (index + 1) * size)]) < step * 1.01, name);
  }
});

test('without joint layers the model is PRD2 and has cosines only', async (t) => {
  const folder = await temporaryFolder(t);
  const all = await tensors(folder);
  for (const name of all.keys()) if (/^(text|img)_joint|^itm_head/.test(name)) all.delete(name);
  const out = join(folder, 'bundle');
  const { manifest } = await convert(await written(folder, all), out, HEADS);
  assert.equal(manifest.architecture, 'prd2 ViT-96x2/14 + BERT-64x2');
  assert.deepEqual(manifest.fusion, { cosine: 1 });
  assert.equal(manifest.rerank, null);
  await assert.rejects(
    convert(await written(folder, all), join(folder, 'other'), { ...HEADS, tokenBits: 8 }),
    /--token-bits does not apply: the model has no reranker/,
  );
  const { data, shape } = await pixels();
  const image = await (await graph(t, out, 'image')).run({ pixel_values: { type: 'float32', dims: shape, data } });
  assert.deepEqual(Object.keys(image), ['embedding']);
  assert.ok(largestDifference(floats(image['embedding']), (await golden()).image_embedding.flat()) < 1e-6);
});

test('an incomplete model is refused by the names of what it lacks', async (t) => {
  const folder = await temporaryFolder(t);
  const all = await tensors(folder);
  all.delete('itm_head_i.bias');
  all.delete('text_joint_layer.encoder.layer.1.crossattention.self.key.weight');
  await assert.rejects(convert(await written(folder, all), join(folder, 'bundle'), HEADS), (error) => {
    assert.ok(isFailure(error, 'invalid_checkpoint'), String(error));
    assert.match(error.detail, /lacks 2 tensor\(s\): text_joint_layer.*key\.weight, itm_head_i\.bias/);
    return true;
  });
});

test('options that have no meaning for the model are refused', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeR2d2(folder);
  for (const [changes, reason] of [
    [{}, /96 wide.*--vision-heads/],
    [{ ...HEADS, ocrContextLength: 12 }, /--ocr-context-length does not apply/],
    [{ ...HEADS, contextLength: 513 }, /--context-length 513/],
    [{ ...HEADS, visionModel: 'ViT-L-14' }, /no ViT-L-14/],
    [{ ...HEADS, architecture: 'uniclip' }, /no UniCLIP, CN-CLIP or QA-CLIP model/],
  ] as const) {
    await assert.rejects(convert(checkpoint, join(folder, 'bundle'), changes), (error) => {
      assert.ok(isFailure(error), String(error));
      assert.match(error.detail, reason);
      return true;
    });
  }
});

test('inspection tells the model without knowing its heads', async (t) => {
  const { guess } = await inspectCheckpoint(await writeR2d2(await temporaryFolder(t)));
  assert.equal(guess.architecture, 'r2d2 ViT-96x2/14 + BERT-64x2');
  assert.ok(guess.architecture !== null && !('vision_heads' in guess.sizes));
});
