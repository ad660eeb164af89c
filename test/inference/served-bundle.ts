import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import { type ErrorCode, isFailure } from '../../src/core/errors.ts';
import type { ImageTokens, Signals } from '../../src/core/types.ts';
import { openBundle } from '../../src/inference/bundle.ts';
import { openTokenizer } from '../../src/inference/model.ts';
import {
  openRemoteCrossEncoder,
  type RemoteCrossEncoder,
  type RemoteCrossEncoderOptions,
  type RemoteEvent,
} from '../../src/inference/remote-cross-encoder.ts';
import { openGraph } from '../convert/golden-model.ts';
import { exportModel, goldenBundle, madeTokens, rerankInputs, type SmallBundle } from '../convert/triton-model.ts';
import { type InferencePeer, startPeer } from './inference-peer.ts';

export const never = new AbortController().signal;
export const SERVED_NAME = 'mini-fp32';

export interface OpenedEncoder {
  readonly encoder: RemoteCrossEncoder;
  readonly events: RemoteEvent[];
}

/** A small bundle's reranker, exported once for the tests of a file, and the servers that have it. */
export interface ServedBundle {
  readonly hash: string;
  /** A server of the exported model; with `t` it ends with the test. */
  startServer(t?: TestContext, port?: number): Promise<InferencePeer>;
  open(t: TestContext, url: string, changes?: Partial<RemoteCrossEncoderOptions>): Promise<OpenedEncoder>;
  images(count: number, from?: number): ImageTokens[];
  /** Resolves when these are the scores that the bundle's own graph gives the query with made images 0, 1, 2, … */
  assertScores(scores: readonly Signals[] | undefined, tokenIds: readonly number[], count: number): Promise<void>;
}

export function serveBundle(): ServedBundle {
  let folder: string;
  let bundle: SmallBundle;
  let model: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'coverrank-remote-'));
    bundle = await goldenBundle(folder);
    model = (await exportModel(bundle, join(folder, 'repository'))).path;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  return {
    get hash() {
      return bundle.manifest.hash;
    },
    async startServer(t, port = 0) {
      const peer = await startPeer(model, port);
      t?.after(() => peer.close());
      return peer;
    },
    async open(t, url, changes = {}) {
      const opened = await openBundle(bundle.dir);
      const events: RemoteEvent[] = [];
      const encoder = await openRemoteCrossEncoder({
        url,
        model: opened.ref,
        manifest: opened.manifest,
        tokenizer: openTokenizer(opened),
        timeoutMs: 2000,
        maxBatchPairs: 64,
        maxInFlight: 4,
        maxQueued: 32,
        sharesMemory: true,
        onEvent: (event) => events.push(event),
        watchTimings: { retryMs: 20, recheckMs: 60 },
        ...changes,
      });
      t.after(() => encoder.close());
      return { encoder, events };
    },
    images: (count, from = 0) => Array.from({ length: count }, (_, image) => madeTokens(bundle, from + image)),
    async assertScores(scores, tokenIds, count) {
      const graph = await openGraph(join(bundle.dir, 'rerank.onnx'));
      const inputs = rerankInputs(bundle, [[...tokenIds]], new Array<number>(count).fill(0));
      const expected = Array.from((await graph.run(inputs))['ocr_semantic']?.data ?? [], Number);
      await graph.close();
      assert.equal(scores?.length, expected.length);
      for (const [pair, score] of expected.entries()) {
        const difference = Math.abs((scores?.[pair]?.['ocr_semantic'] ?? Number.NaN) - score);
        assert.ok(difference < 1e-5, `pair ${pair} differs by ${difference}`);
      }
    },
  };
}

export const failed = (code: ErrorCode) => (error: unknown) => isFailure(error, code);
