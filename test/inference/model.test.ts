import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import { type BundleManifest, bundleHash } from '../../src/core/bundle-format.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import type { ImageTokens } from '../../src/core/types.ts';
import type { LocalCrossEncoder } from '../../src/inference/cross-encoder.ts';
import { type Model, openModel } from '../../src/inference/model.ts';

const demo = join(packageRoot, 'models/demo');
const { threads, limits, device } = defaultConfig();
const never = new AbortController().signal;
let model: Model;
before(async () => {
  model = await openModel(demo, { threads, limits, device });
});
after(() => model.close());

function sample(number: number): Buffer {
  return readFileSync(join(packageRoot, `index/samples/cover-${String(number).padStart(4, '0')}.webp`));
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, position) => sum + value * (b[position] ?? 0), 0);
}

function crossEncoder(): LocalCrossEncoder {
  assert.ok(model.crossEncoder);
  return model.crossEncoder;
}

test('embeddings have length one', async () => {
  const { embedding } = await model.textEncoder.encode('麦克风', never);
  const { features } = await model.coverEncoder.encode(sample(0), never);
  for (const vector of [embedding, features.embedding]) {
    assert.equal(vector.length, 192);
    assert.ok(Math.abs(cosine(vector, vector) - 1) < 1e-5);
  }
});

test('a batch of texts gives what each gives alone', async () => {
  const texts = ['猫', 'a dog in the snow', '红烧肉的做法', '麦克风'];
  const together = await Promise.all(
    texts.map((text) => model.textEncoder.encodeIds(model.tokenizer.tokenize(text).ids, never)),
  );
  for (const [position, text] of texts.entries()) {
    const alone = await model.textEncoder.encodeIds(model.tokenizer.tokenize(text).ids, never);
    const company = together[position] as Float32Array;
    assert.ok(
      alone.every((value, i) => Math.abs(value - (company[i] ?? 9)) < 1e-6),
      text,
    );
  }
});

test('texts that are being embedded are said to take a while yet, and known ones nothing', async () => {
  const { textEncoder } = model;
  await textEncoder.encode('what a batch takes is learned', never);
  assert.equal(textEncoder.aheadMs(), 0);
  const running = textEncoder.encode('something that runs', never);
  const alone = textEncoder.aheadMs();
  const waiting = textEncoder.encode('something that waits', never);
  assert.ok(alone > 0);
  assert.ok(textEncoder.aheadMs() > alone);
  await Promise.all([running, waiting]);
  assert.equal(textEncoder.aheadMs(), 0);
  const known = textEncoder.encode('something that runs', never);
  assert.equal(textEncoder.aheadMs(), 0);
  await known;
});

test('a repeated query is answered from memory', async () => {
  const before = model.textEncoder.cacheHits;
  const first = await model.textEncoder.encode('once and again', never);
  const second = await model.textEncoder.encode('Once  and AGAIN', never);
  assert.equal(second.embedding, first.embedding);
  assert.equal(model.textEncoder.cacheHits, before + 1);
});

test('chunks of several queries in one run score as each does alone', async () => {
  const encoder = crossEncoder();
  const tokens = await Promise.all(
    [1, 2, 3].map(
      async (number) => (await model.coverEncoder.encode(sample(number), never)).features.tokens as ImageTokens,
    ),
  );
  const queries = ['funny microphone', '驼鹿'].map((text) => encoder.prepare(text));
  const together = await Promise.all(queries.map((query) => encoder.score(query, tokens, never)));
  for (const [position, query] of queries.entries()) {
    const alone = await encoder.score(query, tokens, never);
    alone.forEach((signals, image) => {
      const company = together[position]?.[image]?.['ocr_semantic'] ?? Number.NaN;
      assert.ok(Math.abs((signals['ocr_semantic'] ?? 9) - company) < 1e-5);
    });
  }
  // How many depends on how fast this machine is just now.
  const fitting = encoder.fittingPairs(10, 60_000);
  assert.ok(fitting >= 1 && fitting <= 10, String(fitting));
  assert.equal(encoder.fittingPairs(10, 1e-6), 0);
});

test('a batch of pictures gives what each gives alone', async () => {
  const numbers = [0, 1, 2, 3, 4, 5];
  const together = await Promise.all(numbers.map((number) => model.coverEncoder.encode(sample(number), never)));
  for (const [position, number] of numbers.entries()) {
    const { features } = await model.coverEncoder.encode(sample(number), never);
    const company = together[position]?.features.embedding;
    assert.ok(features.embedding.every((value, i) => Math.abs(value - (company?.[i] ?? 9)) < 1e-6));
  }
});

test('presence tells covers with a drawn title from covers without', async () => {
  const presence = async (number: number) =>
    (await model.coverEncoder.encode(sample(number), never)).features.ocrPresence;
  assert.ok(((await presence(0)) ?? 1) < 0.5);
  assert.ok(((await presence(2)) ?? 0) > 0.5);
});

test('a bundle whose recorded self-test its graphs do not meet is refused, naming the graph', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-model-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(demo, folder, { recursive: true });
  const file = join(folder, 'bundle.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as BundleManifest;
  const text = { ...manifest.self_test.text, embedding: manifest.self_test.text.embedding.map((value) => -value) };
  const changed = { ...manifest, self_test: { ...manifest.self_test, text } };
  writeFileSync(file, JSON.stringify({ ...changed, hash: bundleHash(changed) }));
  await assert.rejects(
    openModel(folder, { threads, limits, device }),
    (error) => isFailure(error, 'invalid_bundle') && /self-test .* text graph/.test(error.message),
  );
});
