import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeModel, encodeModel } from '../../../src/convert/onnx/onnx-proto.ts';
import { isFailure } from '../../../src/core/errors.ts';
import { mountSmallDisk } from '../../faults/small-disk.ts';
import { floats, largestDifference, openGraph, temporaryFolder } from '../golden-model.ts';
import { exportModel, goldenBundle, pairInputs, r2d2Bundle, rerankInputs } from '../triton-model.ts';

const TEXTS = [
  [101, 3203, 102],
  [101, 1368, 2094, 4638, 102],
  [101, 123, 102],
];
/** Out of the sorted order that equal texts are found in, and with repetitions apart from each other. */
const PAIR_TEXT = [2, 0, 1, 0, 2, 1, 1];

const refused = (code: 'invalid_config' | 'invalid_bundle', words: RegExp) => (error: unknown) =>
  isFailure(error, code) && words.test(error.message);

for (const [precision, standardOperators, tolerance] of [
  ['fp32', false, 1e-6],
  ['fp32', true, 2e-5],
  ['fp16', false, 1e-6],
  ['fp16', true, 2e-3],
] as const) {
  const kind = standardOperators ? 'standard' : 'fused';
  test(`in ${precision} with ${kind} operators every pair scores as in the bundle's own graph`, async (t) => {
    const folder = await temporaryFolder(t);
    const bundle = await goldenBundle(folder, precision);
    const report = await exportModel(bundle, join(folder, 'repository'), { standardOperators });
    const original = await openGraph(join(bundle.dir, 'rerank.onnx'));
    t.after(() => original.close());
    const exported = await openGraph(join(report.path, '1/model.onnx'));
    t.after(() => exported.close());

    const expected = floats((await original.run(rerankInputs(bundle, TEXTS, PAIR_TEXT)))['ocr_semantic']);
    const scores = (await exported.run(pairInputs(bundle, TEXTS, PAIR_TEXT)))['ocr_semantic'];
    assert.deepEqual(scores?.dims, [PAIR_TEXT.length, 1]);
    assert.ok(new Set(expected).size === PAIR_TEXT.length, 'the pairs must differ for this to prove anything');
    const difference = largestDifference(floats(scores), [...expected]);
    assert.ok(difference <= tolerance, `differs by ${difference}`);
    assert.ok(report.selfTestDifference < Math.max(1e-4, tolerance));
  });
}

for (const [precision, standardOperators, tolerance] of [
  ['fp32', false, 5e-5],
  ['fp32', true, 5e-5],
  ['fp16', true, 1e-2],
] as const) {
  const kind = standardOperators ? 'standard' : 'fused';
  test(`in ${precision} a reranker that masks padding is exported with ${kind} operators and no mask to send`, async (t) => {
    const folder = await temporaryFolder(t);
    const bundle = await r2d2Bundle(folder, precision);
    const report = await exportModel(bundle, join(folder, 'repository'), { standardOperators });
    const original = await openGraph(join(bundle.dir, 'rerank.onnx'));
    t.after(() => original.close());
    const exported = await openGraph(join(report.path, '1/model.onnx'));
    t.after(() => exported.close());

    // What a server warms up with.
    const blank = await exported.run(pairInputs(bundle, [[]], [0, 0]));
    assert.ok(floats(blank['itm_text']).every(Number.isFinite));

    // A literal [PAD] inside a text is no padding.
    const texts = [...TEXTS, [101, 1368, 0, 0, 4638, 102]];
    const pairText = [...PAIR_TEXT, 3];
    const expected = await original.run(rerankInputs(bundle, texts, pairText));
    const scores = await exported.run(pairInputs(bundle, texts, pairText));
    for (const signal of ['itm_text', 'itm_image']) {
      const difference = largestDifference(floats(scores[signal]), [...floats(expected[signal])]);
      assert.ok(difference <= tolerance, `${signal} differs by ${difference}`);
    }
    assert.match(
      await readFile(join(report.path, 'config.pbtxt'), 'utf8'),
      /"input_ids" data_type: TYPE_INT64 dims: \[ 64 \]/,
    );
  });
}

test('a graph of standard operators holds no others, and no shape in it depends on the data', async (t) => {
  const folder = await temporaryFolder(t);
  const report = await exportModel(await goldenBundle(folder), join(folder, 'r'), { standardOperators: true });
  const model = decodeModel(await readFile(join(report.path, '1/model.onnx')));
  assert.ok((model?.graph.node.length ?? 0) > 100);
  assert.deepEqual(
    model?.graph.node.filter(({ domain }) => domain !== undefined),
    [],
  );
  assert.equal(JSON.stringify(model?.['opsetImport']).includes('microsoft'), false);
  assert.equal(
    model?.graph.node.some(({ opType }) => opType === 'Unique'),
    false,
  );
});

test('an int8 bundle is exported with a word for whom it is, and refused where float32 is needed', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder, 'int8');
  const report = await exportModel(bundle, join(folder, 'r'), { device: 'gpu' });
  assert.match(report.notes.join(), /int8.*CPU/);
  const forCpu = await exportModel(bundle, join(folder, 'r'), { device: 'cpu', replace: true });
  assert.match(forCpu.notes.join(), /neither VNNI nor AMX.*rerank=fp32/);
  assert.ok(report.selfTestDifference < 1e-6);
  await assert.rejects(
    exportModel(bundle, join(folder, 'r'), { name: 'other', standardOperators: true }),
    refused('invalid_config', /fp32/),
  );
  assert.deepEqual(await readdir(join(folder, 'r')), ['mini-int8']);
});

test('the configuration tells the server shapes, batching, queue, warm-up and whose reranker it is', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder);
  const report = await exportModel(bundle, join(folder, 'r'), {
    name: 'semantic.v2',
    device: 'gpu',
    instances: 3,
    maxBatch: 48,
    queueDelayUs: 700,
    maxQueued: 9,
  });
  const { tokens, rerank, hash } = bundle.manifest;
  const config = await readFile(join(report.path, 'config.pbtxt'), 'utf8');
  for (const line of [
    'name: "semantic.v2"',
    'backend: "onnxruntime"',
    'max_batch_size: 48',
    `{ name: "input_ids" data_type: TYPE_INT64 dims: [ ${rerank?.context_length} ] }`,
    `{ name: "tokens_int8" data_type: TYPE_INT8 dims: [ ${tokens?.count}, ${tokens?.width} ] }`,
    `{ name: "token_scale" data_type: TYPE_FP32 dims: [ ${tokens?.count} ] }`,
    '{ name: "ocr_semantic" data_type: TYPE_FP32 dims: [ 1 ] }',
    'instance_group [ { kind: KIND_GPU count: 3 } ]',
    'preferred_batch_size: [ 24, 48 ]',
    'max_queue_delay_microseconds: 700',
    'max_queue_size: 9',
    'batch_size: 48',
    `parameters { key: "coverrank_bundle_hash" value { string_value: "${hash}" } }`,
  ]) {
    assert.ok(config.includes(line), line);
  }
});

test('a model of the same name is replaced only with force, and nothing that is no model', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder);
  const repository = join(folder, 'r');
  const first = await exportModel(bundle, repository);
  await assert.rejects(exportModel(bundle, repository), refused('invalid_config', /--force/));
  await exportModel(bundle, repository, { replace: true, maxBatch: 5 });
  assert.match(await readFile(join(first.path, 'config.pbtxt'), 'utf8'), /max_batch_size: 5/);

  await mkdir(join(repository, 'notes'));
  await assert.rejects(
    exportModel(bundle, repository, { name: 'notes', replace: true }),
    refused('invalid_config', /no model/),
  );
  await assert.rejects(
    exportModel(bundle, repository, { name: '../up' }),
    refused('invalid_config', /cannot be named/),
  );
  assert.deepEqual((await readdir(repository)).sort(), ['mini-fp32', 'notes']);
});

test('a repository may be a file system of its own; where it cannot be written, that is told', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder);
  const disk = mountSmallDisk(t, 64 * 1024 * 1024);
  if (disk === undefined) return;
  t.after(() => disk.unmount());
  const { path } = await exportModel(bundle, disk.folder);
  await exportModel(bundle, disk.folder, { replace: true });
  assert.equal(path, join(disk.folder, 'mini-fp32'));
  assert.deepEqual(await readdir(disk.folder), ['mini-fp32']);

  disk.makeReadOnly();
  await assert.rejects(
    exportModel(bundle, disk.folder, { name: 'other' }),
    refused('invalid_config', /cannot be written: the file system is read-only \(EROFS\)/),
  );
});

test('an export that fails leaves no folder of its own in a repository that was there', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder);
  const repository = join(folder, 'r');
  await mkdir(repository);
  let staged = '';
  const { graphs } = bundle.manifest;
  await assert.rejects(
    exportModel(bundle, repository, {}, async (file) => {
      if (file === join(bundle.dir, graphs.image.file)) return openGraph(file);
      staged = file;
      assert.equal((await readdir(repository)).filter((name) => name.startsWith('.r-')).length, 1);
      throw new Error('a graph that cannot be opened');
    }),
    /cannot be opened/,
  );
  assert.ok(staged.startsWith(repository), staged);
  assert.deepEqual(await readdir(repository), []);
});

test('a bundle that does not score as it recorded, or holds a foreign graph, leaves the repository alone', async (t) => {
  const folder = await temporaryFolder(t);
  const bundle = await goldenBundle(folder);
  const repository = join(folder, 'r');
  const lied = { ...bundle.manifest.self_test, rerank: { ocr_semantic: 0.123 } };
  await assert.rejects(
    exportModel({ ...bundle, manifest: { ...bundle.manifest, self_test: lied } }, repository),
    refused('invalid_bundle', /does not score/),
  );
  const graphFile = join(bundle.dir, 'rerank.onnx');
  const original = await readFile(graphFile);
  const documentation = Buffer.from([0x32, 3, ...Buffer.from('doc')]);
  await writeFile(graphFile, Buffer.concat([original, documentation]));
  await assert.rejects(exportModel(bundle, repository), refused('invalid_bundle', /not written by/));
  assert.deepEqual(await readdir(repository), []);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('.')),
    [],
  );
  assert.ok(decodeModel(original) !== undefined && encodeModel(decodeModel(original) ?? {}).length === original.length);
});
