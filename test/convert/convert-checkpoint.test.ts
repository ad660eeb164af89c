import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bundleHash } from '../../src/core/bundle-format.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import type { Tensor, TensorMap } from '../../src/core/ports.ts';
import { decodeImage } from '../../src/inference/image.ts';
import { createTokenizer } from '../../src/inference/tokenizer.ts';
import {
  convert,
  cosine,
  floats,
  type Golden,
  goldenPicture,
  goldenPixels,
  graph,
  largestDifference,
  readGolden,
  readMatching,
  temporaryFolder,
  withMatchingHead,
  writeCheckpoint,
  writeGoldenCheckpoint,
} from './golden-model.ts';
import { floatTensor } from './torch-file.ts';

const VOCABULARY = join(packageRoot, 'models/vocab/bert-base-chinese.txt');

/** The vocabulary that the golden values were made with spelt `content` otherwise; see the tokenizer's tests. */
const RENAMED = 'content semantic exist presence';

function tokenIds(texts: readonly string[], contextLength: number): number[][] {
  const tokenizer = createTokenizer({
    vocabFile: VOCABULARY,
    contextLength,
    lowerCase: true,
    maxWordCharacters: 200,
    specialTokensInText: false,
  });
  return texts.map((text) => [...tokenizer.tokenize(text).ids]);
}

function lengthOf(text: string): number {
  return tokenIds([text], 52)[0]?.length ?? 0;
}

function padded(rows: readonly (readonly number[])[], length: number): Tensor {
  const ids = new BigInt64Array(rows.length * length);
  rows.forEach((row, index) => {
    ids.set(row.map(BigInt), index * length);
  });
  return { type: 'int64', dims: [rows.length, length], data: ids };
}

function textInputs(rows: readonly (readonly number[])[]): TensorMap {
  const length = Math.max(...rows.map((row) => row.length));
  const ids = padded(rows, length);
  const mask = Int32Array.from(ids.data as BigInt64Array, (id) => (id === 0n ? 0 : 1));
  return { input_ids: ids, attention_mask: { type: 'int32', dims: ids.dims, data: mask } };
}

function withoutRenamed(golden: Golden): { texts: string[]; indices: number[] } {
  const indices = golden.texts.flatMap((text, index) => (text === RENAMED ? [] : [index]));
  return { indices, texts: indices.map((index) => golden.texts[index] ?? '') };
}

/** Those that our training reads as the service does: it knows no special tokens in a text. */
function usualTexts(golden: Golden): { texts: string[]; indices: number[] } {
  const indices = withoutRenamed(golden).indices.filter((index) => !golden.texts[index]?.includes('[CLS]'));
  return { indices, texts: indices.map((index) => golden.texts[index] ?? '') };
}

async function convertGolden(t: TestContext, precision: 'fp32' | 'int8'): Promise<{ out: string; golden: Golden }> {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'bundle');
  await convert(await writeGoldenCheckpoint(folder), out, { precision });
  return { out, golden: await readGolden() };
}

test('fp32 texts agree with the reference code, in a batch and alone', async (t) => {
  const { out, golden } = await convertGolden(t, 'fp32');
  const { texts, indices } = withoutRenamed(golden);
  const session = await graph(t, out, 'text');
  for (const [length, expected] of [
    [52, golden.text_embedding_context52],
    [12, golden.text_embedding_context12],
  ] as const) {
    const rows = tokenIds(texts, length);
    const wanted = indices.map((index) => expected[index] ?? []);
    const batch = floats((await session.run(textInputs(rows)))['embedding']);
    assert.ok(largestDifference(batch, wanted.flat()) < 2e-6);
    for (const [index, row] of rows.entries()) {
      const single = floats((await session.run(textInputs([row])))['embedding']);
      assert.ok(largestDifference(single, wanted[index] ?? []) < 2e-6);
    }
  }
});

test('fp32 pictures, presence and semantic agree with the reference code', async (t) => {
  const { out, golden } = await convertGolden(t, 'fp32');
  const pixels = await goldenPixels();
  const image = await (await graph(t, out, 'image')).run({ pixel_values: pixels });
  assert.ok(largestDifference(floats(image['embedding']), golden.image_embedding.flat()) < 2e-6);
  assert.ok(largestDifference(floats(image['ocr_presence']), golden.ocr_presence) < 2e-5);

  const { texts, indices } = withoutRenamed(golden);
  const pairs = golden.images.flatMap((_, picture) => texts.map((_text, text) => ({ picture, text })));
  const wanted = golden.ocr_semantic_context20.flatMap((row) => indices.map((index) => row[index] ?? 0));
  const texts20 = {
    input_ids: padded(tokenIds(texts, 20), 20),
    pair_text: ids64(pairs.map(({ text }) => text)),
  };
  const pictures = pairs.map(({ picture }) => picture);

  const exact = await graph(t, out, 'rerank_float');
  const scores = await exact.run({ ...texts20, tokens: pick(image['tokens'], pictures) });
  assert.ok(largestDifference(floats(scores['ocr_semantic']), wanted) < 5e-5);

  const stored = await graph(t, out, 'rerank');
  const quantised = await stored.run({
    ...texts20,
    tokens_int8: pick(image['tokens_int8'], pictures),
    token_scale: pick(image['token_scale'], pictures),
  });
  assert.ok(largestDifference(floats(quantised['ocr_semantic']), wanted) < 5e-3);
});

test('a matching head reads the states of the text tower, as the code that trains it does', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await withMatchingHead(folder);
  const [golden, trained] = [await readGolden(), await readMatching()];
  const { texts, indices } = usualTexts(golden);
  const wanted = trained.flatMap((row) => indices.map((index) => row[index] ?? 0));
  const checkpoint = await writeCheckpoint(folder, tensors);
  // A text tower of fewer positions than the reranker's texts have rows of the one table that is longer.
  for (const contextLength of [52, 12]) {
    const out = join(folder, `bundle-${contextLength}`);
    const report = await convert(checkpoint, out, { contextLength });
    assert.deepEqual(report.unknown, []);
    assert.deepEqual(report.manifest.signals, ['cosine', 'ocr_presence', 'ocr_semantic', 'itm', 'ocr_match']);

    const image = await (await graph(t, out, 'image')).run({ pixel_values: await goldenPixels() });
    const rerank = await graph(t, out, 'rerank_float');
    const pairs = golden.images.flatMap((_, picture) => texts.map((_text, text) => ({ picture, text })));
    const scores = await rerank.run({
      input_ids: padded(tokenIds(texts, 20), 20),
      pair_text: ids64(pairs.map(({ text }) => text)),
      tokens: pick(
        image['tokens'],
        pairs.map(({ picture }) => picture),
      ),
    });
    assert.ok(largestDifference(floats(scores['itm']), wanted) < 2e-5);
    assert.ok(scores['ocr_semantic'] !== undefined);
  }
});

/** `itm` of every picture with some texts where the matching head has a copy of the golden image tower for itself. */
async function matchingTower(folder: string) {
  const tensors = await withMatchingHead(folder);
  const scale = 0.5;
  for (const [name, tensor] of [...tensors]) {
    if (!name.startsWith('visual.')) continue;
    tensors.set(`itm_${name}`, tensor);
    // What the other tower sees is of no account to the matching head.
    if (name === 'visual.class_embedding')
      tensors.set(name, floatTensor(tensor.shape, new Float32Array(tensor.elements)));
  }
  tensors.set('itm_scale', floatTensor([], [scale]));
  const [golden, trained] = [await readGolden(), await readMatching()];
  // The golden embeddings are of texts cut behind 52 ids.
  const indices = usualTexts(golden).indices.filter((index) => lengthOf(golden.texts[index] ?? '') <= 20);
  const texts = indices.map((index) => golden.texts[index] ?? '');
  const pairs = golden.images.flatMap((_, picture) => texts.map((_text, text) => ({ picture, text })));
  const wanted = pairs.map(({ picture, text }) => {
    const index = indices[text] ?? 0;
    const probability = trained[picture]?.[index] ?? 0;
    const near = cosine(
      Float32Array.from(golden.image_embedding[picture] ?? []),
      golden.text_embedding_context52[index] ?? [],
    );
    return 1 / (1 + ((1 - probability) / probability) * Math.exp(-Math.exp(scale) * near));
  });

  async function itm(t: TestContext, bundle: string): Promise<Float32Array> {
    const image = await (await graph(t, bundle, 'image')).run({ pixel_values: await goldenPixels() });
    const pictures = pairs.map(({ picture }) => picture);
    const scores = await (await graph(t, bundle, 'rerank_float')).run({
      input_ids: padded(tokenIds(texts, 20), 20),
      pair_text: ids64(pairs.map(({ text }) => text)),
      tokens: pick(image['tokens'], pictures),
    });
    return floats(scores['itm']);
  }

  return { tensors, wanted, itm };
}

test('a matching head with an image tower of its own looks at that and adds its cosine', async (t) => {
  const folder = await temporaryFolder(t);
  const { tensors, wanted, itm } = await matchingTower(folder);
  const checkpoint = await writeCheckpoint(folder, tensors);
  for (const [precision, tolerance] of [
    ['fp32', 5e-5],
    ['fp16', 0.01],
    ['int8', 0.05],
  ] as const) {
    const out = join(folder, precision);
    const report = await convert(checkpoint, out, { precision });
    assert.deepEqual(report.unknown, []);
    assert.equal(report.manifest.tokens?.count, 2 * 17);
    const difference = largestDifference(await itm(t, out), wanted);
    assert.ok(difference < tolerance, `${precision}: ${difference}`);
  }
});

test('of two image towers only the tokens that a head reads with a text are stored', async (t) => {
  const folder = await temporaryFolder(t);
  const { tensors, wanted, itm } = await matchingTower(folder);
  const pooled = await convert(await writeCheckpoint(folder, tensors), join(folder, 'pooled'), { poolTokens: 2 });
  assert.equal(pooled.manifest.tokens?.count, 2 * (1 + 4));
  assert.equal((await itm(t, join(folder, 'pooled'))).length, wanted.length);

  for (const name of tensors.keys())
    if (/ocr_content|^decoder_class_embedding|^bert_embedding/.test(name)) tensors.delete(name);
  const report = await convert(await writeCheckpoint(folder, tensors), join(folder, 'alone'));
  assert.deepEqual(report.manifest.signals, ['cosine', 'ocr_presence', 'itm']);
  assert.equal(report.manifest.tokens?.count, 17);
  assert.ok(largestDifference(await itm(t, join(folder, 'alone')), wanted) < 5e-5);
});

test('an image tower that a matching head cannot have is named, and a part of one is no such thing', async (t) => {
  const folder = await temporaryFolder(t);
  const { tensors } = await matchingTower(folder);
  const positions = tensors.get('itm_visual.positional_embedding');
  assert.ok(positions !== undefined);
  const [, width = 0] = positions.shape;
  const smaller = new Map(tensors).set(
    'itm_visual.positional_embedding',
    floatTensor([10, width], new Float32Array(10 * width)),
  );
  await assert.rejects(
    convert(await writeCheckpoint(folder, smaller), join(folder, 'smaller')),
    /Both image towers need one grid; it is 4 in visual and 3 in itm_visual/,
  );
  tensors.delete('itm_scale');
  const report = await convert(await writeCheckpoint(folder, tensors), join(folder, 'part'));
  assert.deepEqual(report.manifest.signals, ['cosine', 'ocr_presence', 'ocr_semantic', 'ocr_match']);
  assert.ok(report.unknown.includes('itm_visual.conv1.weight') && report.unknown.includes('proj_itm'));
});

test('int8 embeddings point where the fp32 ones do', async (t) => {
  const { out, golden } = await convertGolden(t, 'int8');
  const { texts, indices } = withoutRenamed(golden);
  const text = await (await graph(t, out, 'text')).run(textInputs(tokenIds(texts, 12)));
  const image = await (await graph(t, out, 'image')).run({ pixel_values: await goldenPixels() });
  const width = golden.image_embedding[0]?.length ?? 0;
  indices.forEach((index, row) => {
    const got = floats(text['embedding']).subarray(row * width, (row + 1) * width);
    assert.ok(cosine(got, golden.text_embedding_context12[index] ?? []) > 0.999);
  });
  golden.image_embedding.forEach((expected, row) => {
    const got = floats(image['embedding']).subarray(row * width, (row + 1) * width);
    assert.ok(cosine(got, expected) > 0.999);
  });
  assert.ok(largestDifference(floats(image['ocr_presence']), golden.ocr_presence) < 0.1);
});

test('pictures that decode alike become the pixels of the reference code', async (t) => {
  const { out, golden } = await convertGolden(t, 'fp32');
  const session = await graph(t, out, 'preprocess');
  const pixels = floats(await goldenPixels());
  const size = 3 * 64 * 64;
  // One step of 255, in units of the colour with the least deviation.
  const step = 1 / 255 / 0.26130258;
  for (const name of ['landscape.jpg', 'portrait.jpg', 'small.png', 'photo.webp']) {
    const options = { decoding: 'viewer', maxPixels: 1e7, size: 64 } as const;
    const picture = await decodeImage(await goldenPicture(name), options, new AbortController().signal);
    const got = floats(
      (await session.run({ image: { type: 'uint8', dims: [picture.height, picture.width, 3], data: picture.data } }))[
        'pixel_values'
      ],
    );
    const index = golden.images.indexOf(name);
    assert.ok(largestDifference(got, [...pixels.subarray(index * size, (index + 1) * size)]) < step * 1.01, name);
  }
});

test('the manifest names every file, its own hash and what the graphs computed', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'mini');
  const { manifest, dropped, unknown, renamed } = await convert(await writeGoldenCheckpoint(folder), out);
  assert.deepEqual(JSON.parse(await readFile(join(out, 'bundle.json'), 'utf8')), manifest);
  assert.equal(manifest.hash, bundleHash(manifest));
  assert.deepEqual(
    Object.keys(manifest.files).sort(),
    (await readdir(out)).filter((name) => name !== 'bundle.json').sort(),
  );
  assert.equal(manifest.name, 'mini');
  assert.equal(manifest.embedding_dim, 64);
  assert.deepEqual(manifest.tokens, { count: 17, width: 160 });
  assert.deepEqual(manifest.rerank, { context_length: 20, signals: ['ocr_semantic'] });
  assert.deepEqual(manifest.signals, ['cosine', 'ocr_presence', 'ocr_semantic', 'ocr_match']);
  assert.deepEqual(dropped, ['logit_scale']);
  assert.deepEqual(unknown, []);
  assert.equal(renamed, 179);

  const ids = manifest.self_test.text.input_ids;
  const text = await (await graph(t, out, 'text')).run(textInputs([ids]));
  assert.deepEqual([...floats(text['embedding'])], manifest.self_test.text.embedding);
  assert.equal(Object.keys(manifest.self_test.rerank ?? {}).join(), 'ocr_semantic');
});

function ids64(values: readonly number[]): Tensor {
  return { type: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}

/** Rows of a tensor, repeated as asked. */
function pick(tensor: Tensor | undefined, rows: readonly number[]): Tensor {
  if (tensor === undefined) throw new TypeError('the graph gave no such output');
  const [count = 0, ...inner] = tensor.dims;
  const width = tensor.data.length / count;
  const data =
    tensor.data instanceof Int8Array ? new Int8Array(rows.length * width) : new Float32Array(rows.length * width);
  rows.forEach((row, index) => {
    data.set((tensor.data as Float32Array).subarray(row * width, (row + 1) * width), index * width);
  });
  return { type: tensor.type, dims: [rows.length, ...inner], data };
}
