import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BundleManifest } from '../../src/core/bundle-format.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { coverrank } from '../cli/coverrank.ts';
import { temporaryFolder, writeGoldenCheckpoint } from './golden-model.ts';
import { golden, writeR2d2 } from './r2d2-model.ts';
import { call, pickle, text, torchEntries, tuple, zip } from './torch-file.ts';

test('convert reports what it did, and inspect shows both ends', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const out = join(folder, 'mini');
  const converted = await coverrank('convert', checkpoint, '--out', out, '--precision', 'int8', '--json');
  assert.equal(converted.code, 0, converted.stderr);
  const report = JSON.parse(converted.stdout) as Record<string, unknown>;
  assert.equal(report['precision'], 'int8');
  assert.deepEqual(report['dropped'], ['logit_scale']);
  const manifest = JSON.parse(await readFile(join(out, 'bundle.json'), 'utf8')) as BundleManifest;
  assert.equal(report['hash'], manifest.hash);

  const bundle = await coverrank('inspect', out, '--json');
  assert.equal((JSON.parse(bundle.stdout) as { hash: string }).hash, manifest.hash);
  const source = JSON.parse((await coverrank('inspect', checkpoint, '--json')).stdout) as Record<string, unknown>;
  assert.equal(source['architecture'], 'uniclip ViT-128x2/16 + BERT-128x2');
  assert.equal((source['tensors'] as unknown[]).length, 179);
});

test('each graph may have a precision of its own', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const out = join(folder, 'mini');
  const mixed = await coverrank('convert', checkpoint, '--out', out, '--precision', 'text=int8, rerank=int8', '--json');
  assert.equal(mixed.code, 0, mixed.stderr);
  assert.equal((JSON.parse(mixed.stdout) as { precision: string }).precision, 'text=int8,image=fp32,rerank=int8');
  const { graphs } = JSON.parse(await readFile(join(out, 'bundle.json'), 'utf8')) as BundleManifest;
  assert.deepEqual(
    Object.entries(graphs).map(([name, { precision }]) => `${name} ${precision}`),
    ['preprocess fp32', 'image fp32', 'text int8', 'rerank int8', 'rerank_float int8'],
  );
  for (const precision of ['txt=int8', 'text=int4', 'image=fp64', 'text=']) {
    const { code, stderr } = await coverrank(
      'convert',
      checkpoint,
      '--out',
      join(folder, 'no'),
      '--precision',
      precision,
    );
    assert.equal(code, 2, precision);
    assert.match(stderr, /--precision/);
  }
});

test('the report says what int8 and fp16 lose against fp32 on given texts and pictures', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const texts = join(folder, 'texts.txt');
  await writeFile(texts, '红烧肉的做法\n猫\nNBA 乔丹投篮\n');
  const images = join(packageRoot, 'test/fixtures/uniclip-mini/images');
  const args = ['convert', checkpoint, '--out', join(folder, 'mini'), '--precision', 'int8', '--report-texts', texts];
  const { code, stdout, stderr } = await coverrank(...args, '--report-images', images, '--json');
  assert.equal(code, 0, stderr);
  const { precision_loss: loss } = JSON.parse(stdout) as { precision_loss: Record<string, unknown> };
  assert.deepEqual([loss['texts'], loss['images']], [3, 9]);
  const { mean, least } = loss['text_cosine'] as { mean: number; least: number };
  assert.ok(mean > 0.999 && least > 0.99 && least < 1);
  assert.deepEqual(Object.keys(loss['signals'] as object), ['cosine', 'ocr_presence', 'ocr_semantic', 'ocr_match']);
  assert.ok((loss['rank_correlation'] as number) > 0.5);
  assert.equal((await coverrank(...args, '--force')).code, 2);

  const half = args.map((argument) => (argument === 'int8' ? 'text=fp16,image=fp16,rerank=fp16' : argument));
  const second = await coverrank(...half, '--force', '--report-images', images, '--json');
  assert.equal(second.code, 0, second.stderr);
  const report = JSON.parse(second.stdout) as { precision: string; precision_loss: Record<string, unknown> };
  assert.equal(report.precision, 'fp16');
  const ofHalf = report.precision_loss['text_cosine'] as { mean: number; least: number };
  assert.ok(ofHalf.least > 0.9999 && ofHalf.least < 1, String(ofHalf.least));
});

test('the report tells apart what pooling image tokens costs, and what it saves', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const texts = join(folder, 'texts.txt');
  await writeFile(texts, '红烧肉的做法\n猫\n');
  const args = ['convert', checkpoint, '--out', join(folder, 'mini'), '--pool-tokens', '2', '--precision', 'fp16'];
  const images = join(packageRoot, 'test/fixtures/uniclip-mini/images');
  const { code, stdout, stderr } = await coverrank(
    ...args,
    '--report-texts',
    texts,
    '--report-images',
    images,
    '--json',
  );
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as {
    token_bytes: object;
    precision_loss: { text_cosine: { least: number } };
    pooling_loss: {
      text_cosine: { least: number };
      signals: Record<string, { mean: number; rank_correlation: number }>;
    };
  };
  assert.deepEqual(report.token_bytes, { stored: 5 * 164, unpooled: 17 * 164 });
  assert.ok(report.precision_loss.text_cosine.least < 1 - 1e-8);
  assert.ok(report.pooling_loss.text_cosine.least > 1 - 1e-6);
  const { ocr_presence: presence, ocr_semantic: semantic } = report.pooling_loss.signals;
  assert.equal(presence?.rank_correlation, 1);
  assert.ok((semantic?.mean ?? 0) > 1e-4 && (semantic?.rank_correlation ?? 1) < 1);
});

test('score gives the signals of R2D2 and the score of its authors', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'r2d2');
  const heads = ['--vision-heads', '3', '--text-heads', '2'];
  const converted = await coverrank('convert', await writeR2d2(folder), '--out', out, ...heads);
  assert.equal(converted.code, 0, converted.stderr);
  const expected = await golden();
  const [text = ''] = expected.texts;
  const pixels = join(packageRoot, 'test/fixtures/r2d2-mini/pixels.npy');
  const { code, stdout, stderr } = await coverrank(
    'score',
    '--model',
    out,
    '--text',
    text,
    '--pixels',
    pixels,
    '--json',
  );
  assert.equal(code, 0, stderr);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Scored);
  assert.equal(lines.length, expected.images.length);
  for (const { image, signals, relevance_score: score } of lines) {
    const { cosine = 0, itm_text: itmText = 0, itm_image: itmImage = 0, itm = 0 } = signals;
    assert.ok(Math.abs(cosine - (expected.cosine[image]?.[0] ?? 9)) < 1e-5);
    assert.ok(Math.abs(itmText - (expected.itm_text[image]?.[0] ?? 9)) < 5e-5);
    assert.ok(Math.abs(itmImage - (expected.itm_image[image]?.[0] ?? 9)) < 5e-5);
    assert.ok(Math.abs(score - (expected.score[image]?.[0] ?? 9)) < 5e-5);
    assert.ok(Math.abs(score - cosine - itm) < 1e-9);
  }
});

interface Scored {
  readonly image: number;
  readonly signals: Readonly<Record<string, number>>;
  readonly relevance_score: number;
}

test('a malicious or truncated checkpoint ends with 1, says why and leaves no folder', async (t) => {
  const folder = await temporaryFolder(t);
  const trace = join(folder, 'trace');
  const [, ...rest] = torchEntries({});
  const attack = pickle(call('os', 'system', tuple(text(`touch ${trace}`))));
  await writeFile(join(folder, 'attack.pt'), zip([{ name: 'archive/data.pkl', bytes: attack }, ...rest]));
  const whole = await readFile(await writeGoldenCheckpoint(folder));
  await writeFile(join(folder, 'cut.pt'), whole.subarray(0, whole.length / 2));
  for (const [file, reason] of [
    ['attack.pt', /os\.system/],
    ['cut.pt', /truncated/],
    ['absent.pt', /cannot be opened \(ENOENT\)/],
  ] as const) {
    const { code, stderr } = await coverrank('convert', join(folder, file), '--out', join(folder, 'out'));
    assert.equal(code, 1, file);
    assert.match(stderr, reason);
    assert.doesNotMatch(stderr, /\n\s+at /);
  }
  assert.deepEqual((await readdir(folder)).sort(), ['attack.pt', 'cut.pt', 'golden.pt']);
});

test('wrong use ends with 2', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  for (const args of [
    ['convert', checkpoint],
    ['convert', checkpoint, '--out', join(folder, 'out'), '--precision', 'fp64'],
    ['convert', checkpoint, '--out', join(folder, 'out'), '--precision', 'int4'],
    ['convert', checkpoint, '--out', join(folder, 'out'), '--vision-heads', '3'],
    ['convert', checkpoint, '--out', join(folder, 'out'), '--fusion', 'cosine'],
    ['inspect'],
  ]) {
    assert.equal((await coverrank(...args)).code, 2, args.join(' '));
  }
});

test('the committed demo bundle is whole and opens as it was converted', async () => {
  const { code, stdout } = await coverrank('inspect', join(packageRoot, 'models/demo'), '--json');
  assert.equal(code, 0);
  const manifest = JSON.parse(stdout) as BundleManifest;
  assert.deepEqual(manifest.fusion, { cosine: 1, ocr_semantic: 0.06, ocr_match: 0.06, itm: 0.3 });
  assert.equal(manifest.rerank?.context_length, 12);
  assert.equal(manifest.tokenizer.context_length, 12);
});
