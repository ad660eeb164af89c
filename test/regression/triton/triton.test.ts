import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { type CoverrankError, isFailure } from '../../../src/core/errors.ts';
import type { ImageTokens } from '../../../src/core/types.ts';
import { openBundle } from '../../../src/inference/bundle.ts';
import { openTokenizer } from '../../../src/inference/model.ts';
import { openRemoteCrossEncoder, type RemoteCrossEncoder } from '../../../src/inference/remote-cross-encoder.ts';
import { openGraph } from '../../convert/golden-model.ts';
import {
  exportModel,
  goldenBundle,
  madeTokens,
  r2d2Bundle,
  rerankInputs,
  type SmallBundle,
} from '../../convert/triton-model.ts';
import { openService, sampleItems, until } from '../../http/service.ts';
import {
  findTriton,
  layOutBackends,
  parseModelConfig,
  startTriton,
  type Triton,
  usePythonBackend,
} from './triton-server.ts';

/** The real server: what the protocol's tests say of one written here is held against Triton itself. */
const installation = findTriton();
const skip = typeof installation === 'string' ? installation : false;
const never = new AbortController().signal;
const QUERIES = ['猫', '红烧肉的做法', 'funny microphone', '短视频 封面 2024', 'a dog in the snow'];
const MAX_QUEUED = 24;

describe('an exported reranker on Triton', { skip }, () => {
  let folder: string;
  let bundle: SmallBundle;
  let half: SmallBundle;
  let r2d2: SmallBundle;
  let triton: Triton;

  before(async () => {
    assert.ok(typeof installation !== 'string');
    folder = await mkdtemp(join(tmpdir(), 'coverrank-triton-'));
    bundle = await goldenBundle(folder);
    half = await goldenBundle(folder, 'fp16');
    r2d2 = await r2d2Bundle(folder);
    await layOutBackends(installation, join(folder, 'backends'));
    const repository = join(folder, 'repository');
    const options = { queueDelayUs: 2000, queueTimeoutUs: 10_000_000, maxBatch: 64, maxQueued: MAX_QUEUED };
    await usePythonBackend((await exportModel(bundle, repository, { ...options, name: 'fused' })).path);
    await usePythonBackend((await exportModel(r2d2, repository, options)).path);
    const standard = { ...options, name: 'standard', standardOperators: true };
    await usePythonBackend((await exportModel(bundle, repository, standard)).path);
    await usePythonBackend((await exportModel(half, repository, { ...options, name: 'half' })).path);
    await usePythonBackend((await exportModel(half, repository, { ...standard, name: 'half-standard' })).path);
    const stranger = (await exportModel(bundle, repository, { ...options, name: 'stranger' })).path;
    await usePythonBackend(stranger);
    const config = join(stranger, 'config.pbtxt');
    await writeFile(config, (await readFile(config, 'utf8')).replace(bundle.manifest.hash, 'e'.repeat(64)));
    triton = await start();
  });
  after(async () => {
    await triton?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  function start(port = 0): Promise<Triton> {
    assert.ok(typeof installation !== 'string');
    return startTriton({
      installation,
      repository: join(folder, 'repository'),
      backends: join(folder, 'backends'),
      port,
    });
  }

  function bundleOf(model: string): SmallBundle {
    if (model === 'r2d2') return r2d2;
    return model.startsWith('half') ? half : bundle;
  }

  async function open(
    t: TestContext,
    model: string,
    maxInFlight = 16,
    sharesMemory = false,
  ): Promise<RemoteCrossEncoder> {
    const opened = await openBundle(bundleOf(model).dir);
    const encoder = await openRemoteCrossEncoder({
      url: `${triton.url}/v2/models/${model}`,
      model: opened.ref,
      manifest: opened.manifest,
      tokenizer: openTokenizer(opened),
      timeoutMs: 10_000,
      maxBatchPairs: 64,
      maxInFlight,
      maxQueued: 4096,
      sharesMemory,
    });
    t.after(() => encoder.close());
    return encoder;
  }

  function images(count: number): ImageTokens[] {
    return Array.from({ length: count }, (_, image) => madeTokens(bundle, image));
  }

  async function inProcess(tokenIds: readonly number[], pairs: number, { dir } = bundle): Promise<number[]> {
    const graph = await openGraph(join(dir, 'rerank.onnx'));
    const inputs = rerankInputs(bundle, [[...tokenIds]], new Array<number>(pairs).fill(0));
    const scores = (await graph.run(inputs))['ocr_semantic']?.data ?? [];
    await graph.close();
    return Array.from(scores, Number);
  }

  for (const [model, tolerance] of [
    ['fused', 1e-4],
    ['standard', 1e-4],
    ['half', 1e-3],
    ['half-standard', 5e-3],
  ] as const) {
    test(`${model} operators: every score is that of the process itself`, async (t) => {
      const encoder = await open(t, model);
      for (const text of QUERIES) {
        const query = encoder.prepare(text);
        const scores = await encoder.score(query, images(70), never, { remainingMs: 5000 });
        for (const [pair, expected] of (await inProcess(query.tokenIds, 70, bundleOf(model))).entries()) {
          const difference = Math.abs((scores[pair]?.['ocr_semantic'] ?? Number.NaN) - expected);
          assert.ok(difference < tolerance, `${text}, pair ${pair}: differs by ${difference}`);
        }
      }
    });
  }

  test("R2D2: both signals of every pair are the process's own, for texts of several lengths", async (t) => {
    const encoder = await open(t, 'r2d2', 16, true);
    assert.deepEqual(encoder.signals, ['itm_text', 'itm_image']);
    const pairs = Array.from({ length: 9 }, (_, image) => madeTokens(r2d2, image));
    const texts = [
      [101, 3203, 102],
      [101, 1368, 2094, 4638, 123, 102],
      Array.from({ length: 30 }, (_, id) => 101 + id),
    ];
    const scored = await Promise.all(texts.map((tokenIds) => encoder.score({ tokenIds }, pairs, never)));
    const graph = await openGraph(join(r2d2.dir, 'rerank.onnx'));
    t.after(() => graph.close());
    for (const [text, scores] of scored.entries()) {
      const expected = await graph.run(rerankInputs(r2d2, texts, new Array<number>(9).fill(text)));
      for (const [pair, signals] of scores.entries()) {
        for (const signal of encoder.signals) {
          const difference = Math.abs((signals[signal] ?? Number.NaN) - Number(expected[signal]?.data[pair]));
          assert.ok(difference < 1e-4, `${signal} of text ${text}, pair ${pair}: differs by ${difference}`);
        }
      }
    }
  });

  test('tokens that go through shared memory give the same scores, also after the server started anew', async (t) => {
    const encoder = await open(t, 'fused', 4, true);
    assert.equal(encoder.status().sharesMemory, true);
    const sending = await open(t, 'fused');
    assert.equal(sending.status().sharesMemory, false);
    const queries = Array.from({ length: 30 }, (_, number) => encoder.prepare(`${QUERIES[number % 5]} ${number}`));
    const pairs = images(40);
    const sent = await Promise.all(queries.map((query) => sending.score(query, pairs, never)));
    // Other images first, so that every place has held something else before.
    await Promise.all(queries.map((query) => encoder.score(query, [...pairs].reverse(), never)));
    const shared = await Promise.all(queries.map((query) => encoder.score(query, pairs, never)));
    const expectSame = (got: typeof sent): void => {
      for (const [number, scores] of sent.entries()) {
        for (const [pair, { ocr_semantic }] of scores.entries()) {
          const difference = Math.abs((ocr_semantic ?? Number.NaN) - (got[number]?.[pair]?.['ocr_semantic'] ?? 0));
          assert.ok(difference < 1e-4, `query ${number} pair ${pair} differs by ${difference}`);
        }
      }
    };
    expectSame(shared);

    await triton.kill();
    triton = await start(Number(new URL(triton.url).port));
    await encoder.score(queries[0] ?? { tokenIds: [] }, pairs, never).catch(() => {});
    await until(() => encoder.status().server === 'serving');
    expectSame(await Promise.all(queries.map((query) => encoder.score(query, pairs, never))));
    assert.equal(encoder.status().sharesMemory, true);
    assert.deepEqual(
      (await readdir('/dev/shm')).filter((name) => name.startsWith('coverrank-')),
      [],
    );
  });

  test('queries that come together share runs and get the scores that each gets alone', async (t) => {
    const encoder = await open(t, 'fused');
    const pairs = images(3);
    const queries = Array.from({ length: 200 }, (_, number) => encoder.prepare(QUERIES[number % 5] ?? ''));
    const alone = await Promise.all(QUERIES.map((text) => inProcess(encoder.prepare(text).tokenIds, 3)));
    const earlier = await triton.counts('fused');
    const together = await Promise.all(queries.map((query) => encoder.score(query, pairs, never)));
    const { runs, pairs: ran } = await triton.counts('fused');
    assert.equal(ran - earlier.pairs, 600);
    assert.ok(runs - earlier.runs <= 100, `200 calls became ${runs - earlier.runs} runs`);
    for (const [number, scores] of together.entries()) {
      for (const [pair, { ocr_semantic }] of scores.entries()) {
        const difference = Math.abs((ocr_semantic ?? Number.NaN) - (alone[number % 5]?.[pair] ?? 0));
        assert.ok(difference < 1e-4, `query ${number} pair ${pair} differs by ${difference}`);
      }
    }
  });

  test('what its queue does not hold or gives up is overloaded or late, never wrong', async (t) => {
    const encoder = await open(t, 'fused', 128);
    const pairs = images(64);
    const query = encoder.prepare('猫');
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, () =>
        encoder.score(query, pairs, AbortSignal.timeout(3000), { remainingMs: 3000 }).then(
          (scores) => scores.length,
          (error: CoverrankError) => error.code,
        ),
      ),
    );
    assert.ok(outcomes.includes(64));
    assert.ok(outcomes.includes('overloaded'), [...new Set(outcomes)].join());
    assert.ok(
      outcomes.every((outcome) => outcome === 64 || outcome === 'overloaded' || outcome === 'deadline_exceeded'),
    );
  });

  test('a model made from another bundle, and a model that is not there, are told apart', async (t) => {
    await assert.rejects(
      open(t, 'stranger'),
      (error) => isFailure(error, 'invalid_config') && /e{64}/.test(error.message),
    );
    assert.equal((await open(t, 'nobody')).status().server, 'absent');
  });

  test("the configuration for a GPU is one by the server's own schema", async () => {
    const options = { name: 'two-on-a-gpu', device: 'gpu', instances: 2, maxBatch: 256 } as const;
    const { path } = await exportModel(bundle, join(folder, 'gpu'), options);
    const config = parseModelConfig(join(path, 'config.pbtxt'));
    assert.equal(config['max_batch_size'], 256);
    assert.deepEqual(config['instance_group'], [{ kind: 'KIND_GPU', count: 2 }]);
    assert.deepEqual(config['parameters'], {
      coverrank_bundle: { string_value: 'mini-fp32' },
      coverrank_bundle_hash: { string_value: bundle.manifest.hash },
    });
  });

  test('a server killed between two queries costs the reranking until it is back', async (t) => {
    const rerank_url = `${triton.url}/v2/models/fused`;
    const service = await openService({ model: bundle.dir, rerank_url, rerank_timeout_ms: 5000 });
    t.after(() => service.close());
    const alone = await openService({ model: bundle.dir });
    t.after(() => alone.close());
    const items = await sampleItems(12);
    for (const one of [service, alone]) {
      assert.equal((await one.call({ method: 'POST', url: '/index', payload: { items } })).status, 200);
    }
    const rank = async (one: typeof service, query: string) => {
      const payload = { query, top_n: 12, recall_k: 12, rerank_k: 12, deadline_ms: 5000 };
      const answer = await one.call({ method: 'POST', url: '/rank', payload });
      assert.equal(answer.status, 200);
      return answer.body;
    };

    const expected = await rank(alone, '猫');
    const served = await rank(service, '猫');
    assert.deepEqual(served.degraded, []);
    for (const hit of served.results) {
      const same = expected.results.find(({ id }: { id: string }) => id === hit.id);
      assert.ok(Math.abs(hit.signals.ocr_semantic - same.signals.ocr_semantic) < 1e-4);
    }

    const flood = Array.from({ length: 60 }, (_, number) => rank(service, `${QUERIES[number % 5]} ${number}`));
    await triton.kill();
    const reasons = new Set((await Promise.all(flood)).flatMap(({ degraded }) => degraded).map(({ reason }) => reason));
    assert.ok(reasons.has('unavailable'));
    assert.ok(
      [...reasons].every((reason) => reason === 'unavailable' || reason === 'overloaded'),
      [...reasons].join(),
    );
    assert.equal((await rank(service, '狗')).results.length, 12);

    triton = await start(Number(new URL(triton.url).port));
    await until(async () => (await rank(service, '狗')).degraded.length === 0);
  });
});
