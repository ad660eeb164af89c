import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isFailure } from '../../src/core/errors.ts';
import {
  convert,
  floats,
  goldenPixels,
  goldenResnet,
  goldenTensors,
  graph,
  largestDifference,
  readGolden,
  temporaryFolder,
  writeCheckpoint,
  writeGoldenCheckpoint,
} from './golden-model.ts';
import { safeFloats, safetensors } from './safetensors-file.ts';
import { floatTensor, type StoredTensor, torchLegacy } from './torch-file.ts';

type Tensors = Map<string, StoredTensor>;

function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
}

function values({ bytes }: StoredTensor): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/** As FlashAttention's modules name and stack the projections. */
function flashSpelling(tensors: Tensors): Tensors {
  const flash = renamed(tensors, (name) =>
    name
      .replace(/\.attn\.in_proj_(weight|bias)$/, '.attn.Wqkv.$1')
      .replace('.attention.output.dense.', '.attention.self.out_proj.'),
  );
  for (let layer = 0; layer < 2; layer++) {
    const prefix = `bert.encoder.layer.${layer}.attention.self`;
    for (const parameter of ['weight', 'bias']) {
      const parts = ['query', 'key', 'value'].map((part) => {
        const name = `${prefix}.${part}.${parameter}`;
        const tensor = flash.get(name) as StoredTensor;
        flash.delete(name);
        return tensor;
      });
      const shape = [3 * 128, ...(parts[0]?.shape.slice(1) ?? [])];
      flash.set(
        `${prefix}.Wqkv.${parameter}`,
        floatTensor(
          shape,
          parts.flatMap((part) => [...values(part)]),
        ),
      );
    }
  }
  return flash;
}

async function digests(t: TestContext, tensors: Tensors): Promise<Record<string, string>> {
  const folder = await temporaryFolder(t);
  const { manifest } = await convert(await writeCheckpoint(folder, tensors), join(folder, 'bundle'));
  return Object.fromEntries(Object.entries(manifest.files).map(([file, { sha256 }]) => [file, sha256]));
}

test('every spelling of a model gives the same bundle', async (t) => {
  const folder = await temporaryFolder(t);
  const reference = (await convert(await writeGoldenCheckpoint(folder), join(folder, 'bundle'))).manifest.files;
  const expected = Object.fromEntries(Object.entries(reference).map(([file, { sha256 }]) => [file, sha256]));
  const tensors = await goldenTensors(folder);
  const current = (name: string): string =>
    name.replace('ocr_exist', 'ocr_presence').replace('ocr_content', 'ocr_semantic');
  assert.deepEqual(await digests(t, tensors), expected, 'float32 without a prefix');
  assert.deepEqual(await digests(t, renamed(tensors, current)), expected, 'presence and semantic');
  assert.deepEqual(
    await digests(
      t,
      renamed(tensors, (name) => `_orig_mod.module.${name}`),
    ),
    expected,
    'two prefixes',
  );
  assert.deepEqual(await digests(t, flashSpelling(tensors)), expected, 'FlashAttention');
});

test('every container of a model gives the same bundle', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  const expected = await digests(t, tensors);
  const safe = [...tensors].map(([name, tensor]) => [name, safeFloats(tensor.shape, values(tensor))] as const);
  const half = Math.floor(safe.length / 2);
  const [first, second] = [Object.fromEntries(safe.slice(0, half)), Object.fromEntries(safe.slice(half))];
  await writeFile(join(folder, 'legacy.pt'), torchLegacy(Object.fromEntries(tensors)));
  await writeFile(join(folder, 'whole.safetensors'), safetensors(Object.fromEntries(safe)));
  await writeFile(join(folder, 'part-1.safetensors'), safetensors(first));
  await writeFile(join(folder, 'part-2.safetensors'), safetensors(second));
  const map = safe.map(([name], index) => [name, `part-${index < half ? 1 : 2}.safetensors`]);
  await writeFile(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ weight_map: Object.fromEntries(map) }),
  );
  const sources = new Set<unknown>();
  for (const file of ['legacy.pt', 'whole.safetensors', 'model.safetensors.index.json']) {
    const { manifest } = await convert(join(folder, file), join(folder, `${file}-bundle`));
    assert.deepEqual(
      Object.fromEntries(Object.entries(manifest.files).map(([name, { sha256 }]) => [name, sha256])),
      expected,
      file,
    );
    sources.add(manifest.source['sha256']);
  }
  assert.equal(sources.size, 3);
});

test('a model without heads has cosines only', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  for (const name of tensors.keys()) if (/ocr|^decoder_class|^bert_embedding/.test(name)) tensors.delete(name);
  const out = join(folder, 'bundle');
  const { manifest } = await convert(await writeCheckpoint(folder, tensors), out);
  assert.deepEqual(manifest.signals, ['cosine']);
  assert.equal(manifest.tokens, null);
  assert.equal(manifest.rerank, null);
  assert.deepEqual(Object.keys(manifest.graphs), ['preprocess', 'image', 'text']);
  const image = await (await graph(t, out, 'image')).run({ pixel_values: await goldenPixels() });
  assert.deepEqual(Object.keys(image), ['embedding']);
  assert.ok(largestDifference(floats(image['embedding']), (await readGolden()).image_embedding.flat()) < 2e-6);
});

test('a model with the presence head alone has presence', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  for (const name of tensors.keys()) if (/ocr_content|^decoder_class|^bert_embedding/.test(name)) tensors.delete(name);
  const out = join(folder, 'bundle');
  const { manifest } = await convert(await writeCheckpoint(folder, tensors), out);
  assert.deepEqual(manifest.signals, ['cosine', 'ocr_presence']);
  assert.equal(manifest.rerank, null);
  const image = await (await graph(t, out, 'image')).run({ pixel_values: await goldenPixels() });
  assert.ok(largestDifference(floats(image['ocr_presence']), (await readGolden()).ocr_presence) < 2e-5);
});

test('a ResNet image tower agrees with the reference code', async (t) => {
  const folder = await temporaryFolder(t);
  const { tensors, embeddings } = await goldenResnet(folder);
  for (const [name, tensor] of await goldenTensors(folder)) {
    if (/^bert\.|^text_projection/.test(name)) tensors.set(name, tensor);
  }
  const out = join(folder, 'bundle');
  const checkpoint = await writeCheckpoint(folder, tensors);
  const { manifest } = await convert(checkpoint, out);
  assert.equal(manifest.architecture, 'cn-clip ResNet-16x[1, 2, 1, 1] + BERT-128x2');
  assert.deepEqual(manifest.signals, ['cosine']);
  const image = await (await graph(t, out, 'image')).run({ pixel_values: await goldenPixels() });
  assert.ok(largestDifference(floats(image['embedding']), embeddings.flat()) < 2e-6);
  await assert.rejects(convert(checkpoint, out, { replace: true, imageSize: 96 }), /trained at 64/);
});

test('tensors that nobody knows are named in the report', async (t) => {
  const folder = await temporaryFolder(t);
  const tensors = await goldenTensors(folder);
  tensors.set('itm_decoder.weight', floatTensor([1], [1]));
  tensors.set('bert.pooler.dense.bias', floatTensor([1], [1]));
  const report = await convert(await writeCheckpoint(folder, tensors), join(folder, 'bundle'));
  assert.deepEqual(report.unknown, ['itm_decoder.weight']);
  assert.deepEqual(report.dropped, ['logit_scale', 'bert.pooler.dense.bias']);
});

test('what cannot be converted is refused by name and leaves nothing behind', async (t) => {
  const folder = await temporaryFolder(t);
  const golden = await goldenTensors(folder);
  const infinite = floatTensor([128, 64], new Float32Array(128 * 64).fill(Number.NEGATIVE_INFINITY));
  const nan = floatTensor([128], new Float32Array(128).fill(Number.NaN));
  const cases: readonly (readonly [string, RegExp, (tensors: Tensors) => void])[] = [
    ['a missing tensor', /lacks 1 tensor\(s\): visual\.ln_post\.bias/, (all) => void all.delete('visual.ln_post.bias')],
    ['a missing head', /lacks 1 tensor\(s\): proj_ocr_presence/, (all) => void all.delete('proj_ocr_exist')],
    ['a NaN', /visual\.ln_post\.bias holds NaN/, (all) => void all.set('visual.ln_post.bias', nan)],
    [
      'a wrong shape',
      /ln_pre\.bias has shape \[1\]/,
      (all) => void all.set('visual.ln_pre.bias', floatTensor([1], [0])),
    ],
    ['a repeated name', /twice/, (all) => void all.set('module.visual.ln_pre.bias', floatTensor([1], [0]))],
    ['an infinity', /text_projection holds -Infinity/, (all) => void all.set('text_projection', infinite)],
    [
      'a text tower of another kind',
      /not recognised.*token_embedding\.weight.*Nearest is UniCLIP, CN-CLIP or QA-CLIP, for which it lacks bert\.embeddings\.word_embeddings\.weight\./,
      (all) => {
        for (const name of all.keys()) if (name.startsWith('bert.')) all.delete(name);
        all.set('token_embedding.weight', floatTensor([1], [0]));
      },
    ],
    [
      'the spelling of another library',
      /not recognised.*Nearest is R2D2 or PRD2, for which it lacks visual_encoder\./,
      (all) => {
        all.clear();
        all.set('vision_model.embeddings.patch_embedding.weight', floatTensor([1], [0]));
        all.set('text_model.embeddings.position_ids', floatTensor([1], [0]));
      },
    ],
    [
      'another model',
      /not recognised.*encoder\.layer.*None of the known models is near/,
      (all) => {
        all.clear();
        all.set('encoder.layer.0.weight', floatTensor([1], [0]));
      },
    ],
  ];
  for (const [what, reason, change] of cases) {
    const tensors = new Map(golden);
    change(tensors);
    const work = await temporaryFolder(t);
    const checkpoint = await writeCheckpoint(work, tensors);
    await assert.rejects(convert(checkpoint, join(work, 'bundle')), (error) => {
      assert.ok(isFailure(error, 'invalid_checkpoint'), String(error));
      assert.match(error.detail, reason, what);
      return true;
    });
    assert.deepEqual(await readdir(work), ['written.pt'], what);
  }
});

test('options that do not fit the model are refused', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  for (const [changes, reason] of [
    [{ visionHeads: 3 }, /--vision-heads 3 does not divide/],
    [{ imageSize: 65 }, /no multiple of the patch size/],
    [{ contextLength: 513 }, /--context-length 513 is out of range/],
    [{ visionModel: 'ViT-B-16' }, /no ViT-B-16/],
    [{ textModel: 'BERT' }, /--text-model BERT is unknown/],
    [{ fusion: { itm: 1 } }, /--fusion names itm/],
    [{ vocabulary: checkpoint }, /pieces, but the checkpoint embeds 21128/],
  ] as const) {
    await assert.rejects(convert(checkpoint, join(folder, 'bundle'), changes), (error) => {
      assert.ok(isFailure(error), String(error));
      assert.match(error.detail, reason);
      return true;
    });
  }
  assert.deepEqual(await readdir(folder), ['golden.pt']);
});

test('a folder that holds a bundle is replaced only when asked, and keeps what is not of the bundle', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  const out = join(folder, 'bundle');
  const first = await convert(checkpoint, out);
  await writeFile(join(out, 'MODEL_CARD.md'), 'a card');
  await assert.rejects(convert(checkpoint, out), /is not empty/);
  const second = await convert(checkpoint, out, { replace: true, precision: 'int8' });
  assert.notEqual(first.manifest.hash, second.manifest.hash);
  assert.deepEqual((await readdir(folder)).sort(), ['bundle', 'golden.pt']);
  const expected = ['MODEL_CARD.md', 'bundle.json', ...Object.keys(second.manifest.files)];
  assert.deepEqual((await readdir(out)).sort(), expected.sort());
});

test('a folder that holds no bundle is never replaced', async (t) => {
  const folder = await temporaryFolder(t);
  const checkpoint = await writeGoldenCheckpoint(folder);
  await assert.rejects(convert(checkpoint, folder, { replace: true }), /is no bundle/);
  assert.deepEqual(await readdir(folder), ['golden.pt']);
});
