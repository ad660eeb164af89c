import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { defaultConfig } from '../../src/config.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { openModel } from '../../src/inference/model.ts';
import { loadGraph } from '../../src/inference/session.ts';

const demo = join(packageRoot, 'models/demo');
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
const provider = join(runtime, 'bin/napi-v6', process.platform, process.arch, 'libonnxruntime_providers_cuda.so');
const skip = existsSync(provider) ? "ONNX Runtime's CUDA files are installed" : false;

test('CUDA where it is not installed ends the start with what to install, and nothing runs elsewhere instead', {
  skip,
}, async () => {
  const { threads, limits } = defaultConfig();
  for (const start of [
    loadGraph(join(demo, 'text.onnx'), { threads: 1, device: 'cuda' }),
    openModel(demo, { threads, limits, device: 'cuda' }),
  ]) {
    await assert.rejects(start, (error) => {
      assert.ok(isFailure(error, 'invalid_config'), String(error));
      assert.match(error.message, /ONNXRUNTIME_NODE_INSTALL=cuda12 node .*install\.js/);
      assert.match(error.message, /cuDNN 9/);
      return true;
    });
  }
});

test('a graph that is no graph is told apart from a device that is not there', async () => {
  await assert.rejects(loadGraph(join(demo, 'vocab.txt'), { threads: 1 }), (error) => !isFailure(error));
});
