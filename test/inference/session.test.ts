import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
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

test('ONNX Runtime keeps no record of its use for its maker, whichever thread loads it', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'coverrank-home-'));
  t.after(() => rm(home, { recursive: true }));
  const script = (name: string): string => new URL(`../../src/${name}`, import.meta.url).href;
  const loadHere = `const { loadGraph } = await import('${script('inference/session.js')}');
    await (await loadGraph('${join(demo, 'text.onnx')}', { threads: 1 })).close();`;
  const loadInThreads = `const { defaultConfig } = await import('${script('config.js')}');
    const { openModel } = await import('${script('inference/model.js')}');
    const { threads, limits } = defaultConfig();
    const { parts } = await openModel('${demo}', { threads, limits, device: 'cpu' });
    await Promise.all(Object.values(parts).map((part) => part.close()));`;
  const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env;
  for (const load of [loadHere, loadInThreads]) {
    const options = { env: { ...env, HOME: home, XDG_CACHE_HOME: '' } };
    await promisify(execFile)(process.execPath, ['-e', `(async () => { ${load} })()`], options);
    assert.deepEqual(await readdir(home), []);
  }
});
