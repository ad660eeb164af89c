import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodeToFloat32 } from '../../../src/convert/checkpoint/stored-types.ts';
import { DATA_TYPE, decodeModel, type OnnxModel, type OnnxTensor } from '../../../src/convert/onnx/onnx-proto.ts';
import { parsePrecisions } from '../../../src/convert/precision.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { openOfflineModel } from '../../../src/inference/offline-model.ts';
import {
  convert,
  cosine,
  goldenPixels,
  goldenResnet,
  goldenTensors,
  readGolden,
  temporaryFolder,
  writeCheckpoint,
  writeGoldenCheckpoint,
} from '../golden-model.ts';
import { golden as goldenR2d2, HEADS, pixels as r2d2Pixels, writeR2d2 } from '../r2d2-model.ts';
import { floatTensor } from '../torch-file.ts';

async function readGraph(folder: string, name: string): Promise<OnnxModel> {
  const model = decodeModel(await readFile(join(folder, `${name}.onnx`)));
  if (model === undefined) throw new TypeError(`${name} is no graph of ours`);
  return model;
}

/** A weight's values, wherever they lie. */
async function values(folder: string, { rawData, externalData, dataType }: OnnxTensor): Promise<Float32Array> {
  const field = (key: string): string => externalData?.find((entry) => entry.key === key)?.value ?? '';
  const from = Number(field('offset'));
  const bytes =
    rawData ?? (await readFile(join(folder, field('location')))).subarray(from, from + Number(field('length')));
  return decodeToFloat32(Buffer.from(Uint8Array.from(bytes).buffer), typeOf(dataType), false);
}

function typeOf(dataType: number): 'float16' | 'float32' {
  return dataType === DATA_TYPE.float16 ? 'float16' : 'float32';
}

async function bundles(t: TestContext): Promise<{ half: string; full: string }> {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const [half, full] = [join(folder, 'half'), join(folder, 'full')];
  await convert(checkpoint, half, { precision: 'fp16' });
  await convert(checkpoint, full);
  return { half, full };
}

test('what a checkpoint holds in fp16 is in the graphs bit for bit', async (t) => {
  const { half, full } = await bundles(t);
  for (const name of ['image', 'text']) {
    const exact = new Map((await readGraph(full, name)).graph.initializer.map((tensor) => [tensor.name, tensor]));
    const weights = (await readGraph(half, name)).graph.initializer.filter(
      ({ dataType }) => dataType === DATA_TYPE.float16,
    );
    assert.ok(weights.length >= 15, `${weights.length} weights of ${name} are in fp16`);
    for (const weight of weights) {
      const original = exact.get(weight.name.replace(/\.fp16$/, ''));
      assert.ok(original !== undefined, weight.name);
      assert.deepEqual(await values(half, weight), await values(full, original), weight.name);
    }
  }
});

test('products take fp16, norms and what leaves or enters the graph float32', async (t) => {
  const { half } = await bundles(t);
  for (const name of ['image', 'text', 'rerank', 'rerank_float']) {
    const { graph } = await readGraph(half, name);
    const weightTypes = new Map(graph.initializer.map((tensor) => [tensor.name, tensor.dataType]));
    const typesOf = (operator: string): Set<number | undefined> =>
      new Set(
        graph.node
          .filter(({ opType }) => opType === operator)
          .flatMap(({ input }) => input.flatMap((value) => weightTypes.get(value) ?? [])),
      );
    assert.deepEqual(typesOf('SkipLayerNormalization'), new Set([DATA_TYPE.float32]), name);
    assert.deepEqual(typesOf('MultiHeadAttention'), new Set([DATA_TYPE.float16]), name);
    const heads = graph.node.filter(({ input }) => input.some((value) => /^proj_ocr/.test(value)));
    assert.ok(heads.every(({ input }) => input.every((value) => !value.endsWith('fp16'))));
    for (const port of [...graph.input, ...graph.output]) {
      assert.ok(!JSON.stringify(port).includes(`"elemType":${DATA_TYPE.float16}`), `${name}: ${JSON.stringify(port)}`);
    }
  }
});

test('a bundle in fp16 loads without a GPU and scores close to the reference code', async (t) => {
  const { half } = await bundles(t);
  const expected = await readGolden();
  const model = await openOfflineModel(half, { maxPixels: 1e7 });
  t.after(() => model.close());
  assert.equal(model.bundle.manifest.graphs.text.precision, 'fp16');
  assert.equal(model.bundle.manifest.graphs.preprocess.precision, 'fp32');
  const pixels = await goldenPixels();
  const images = await model.encodePixels(pixels.data as Float32Array, pixels.dims[0] ?? 0);
  for (const [index, wanted] of expected.image_embedding.entries()) {
    const { embedding = new Float32Array(), ocrPresence = 0 } = images[index] ?? {};
    assert.ok(cosine(embedding, wanted) > 0.99999);
    assert.ok(Math.abs(ocrPresence - (expected.ocr_presence[index] ?? 0)) < 1e-3);
  }
  // The checkout's vocabulary spells one piece otherwise.
  for (const [text, query] of expected.texts.entries()) {
    if (query.includes('content') || query.includes('semantic')) continue;
    const scores = await model.crossScore(query, images);
    for (const [image, { ocr_semantic = Number.NaN }] of scores.entries()) {
      const difference = Math.abs(ocr_semantic - (expected.ocr_semantic_context20[image]?.[text] ?? Number.NaN));
      assert.ok(difference < 2e-3, `${query} differs by ${difference}`);
    }
  }
});

test('R2D2 in fp16 matches texts and pictures as the reference code does, to a hundredth', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'half');
  await convert(await writeR2d2(folder), out, { ...HEADS, precision: 'fp16' });
  const expected = await goldenR2d2();
  const model = await openOfflineModel(out, { maxPixels: 1e7 });
  t.after(() => model.close());
  const { data, shape } = await r2d2Pixels();
  const images = await model.encodePixels(data, shape[0] ?? 0);
  let squares = 0;
  for (const [text, query] of expected.texts.entries()) {
    for (const [image, signals] of (await model.crossScore(query, images)).entries()) {
      const errors = (['itm_text', 'itm_image'] as const).map(
        (name) => (signals[name] ?? Number.NaN) - (expected[name][image]?.[text] ?? Number.NaN),
      );
      assert.ok(
        errors.every((error) => Math.abs(error) < 0.01),
        `${query}: ${errors}`,
      );
      squares += errors.reduce((sum, error) => sum + error ** 2, 0);
    }
  }
  assert.ok(Math.sqrt(squares / (2 * expected.texts.length * expected.images.length)) < 2e-3);
});

test('a ResNet runs in fp16 as well', async (t) => {
  const folder = await temporaryFolder(t);
  const { tensors, embeddings } = await goldenResnet(folder);
  const text = [...(await goldenTensors(folder))].filter(([name]) => /^(bert\.|text_projection)/.test(name));
  const out = join(folder, 'half');
  await convert(await writeCheckpoint(folder, new Map([...text, ...tensors])), out, { precision: 'fp16' });
  const model = await openOfflineModel(out, { maxPixels: 1e7 });
  t.after(() => model.close());
  const pixels = await goldenPixels();
  const images = await model.encodePixels(pixels.data as Float32Array, pixels.dims[0] ?? 0);
  embeddings.forEach((wanted, index) => {
    assert.ok(cosine(images[index]?.embedding ?? new Float32Array(), wanted) > 0.99999);
  });
});

test('a weight beyond the range of fp16 is refused by name, and its graph alone may stay in fp32', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  const name = 'visual.transformer.resblocks.1.mlp.c_fc.weight';
  const large = Float32Array.from({ length: 512 * 128 }, (_, index) => (index === 7 ? 70_000 : 1e-3));
  const checkpoint = await writeCheckpoint(folder, tensors.set(name, floatTensor([512, 128], large)));
  await assert.rejects(convert(checkpoint, join(folder, 'half'), { precision: 'fp16' }), (error) => {
    assert.ok(isFailure(error, 'invalid_checkpoint'), String(error));
    assert.match(error.detail, /resblocks\.1\.mlp\.c_fc\.weight holds 70000.*image=fp32/);
    return true;
  });
  const precision = parsePrecisions('text=fp16,rerank=fp16');
  const { manifest } = await convert(checkpoint, join(folder, 'mixed'), { precision });
  assert.deepEqual(
    ['image', 'text', 'rerank', 'rerank_float'].map((graph) => manifest.graphs[graph as 'image']?.precision),
    ['fp32', 'fp16', 'fp16', 'fp16'],
  );
});
