import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkRerankServer } from '../../../src/cli/doctor/model-checks.ts';
import { defaultConfig } from '../../../src/config.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { readManifest } from '../../../src/inference/bundle.ts';
import { exportModel } from '../../convert/triton-model.ts';
import { startPeer } from '../../inference/inference-peer.ts';

const model = join(packageRoot, 'models/demo');
const ask = (rerank_url: string) => checkRerankServer(defaultConfig({ model, rerank_url }));

test('doctor says what is wrong with the reranking server, and what to do', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { path } = await exportModel({ dir: model, manifest: readManifest(model) }, folder);
  const peer = await startPeer(path);
  t.after(() => peer.close());

  const good = await ask(peer.url);
  assert.equal(good.status, 'ok');
  assert.match(good.detail, /serves demo, 16 pairs a call, of this bundle/);

  const elsewhere = await ask(`${peer.url}/v2/models/other`);
  assert.equal(elsewhere.status, 'fail');
  assert.match(elsewhere.detail, /no model other that is ready/);

  peer.hash = null;
  assert.equal((await ask(peer.url)).status, 'warn');
  peer.hash = 'f'.repeat(64);
  const stranger = await ask(peer.url);
  assert.match(stranger.detail, /made from demo f{64}, not from demo/);
  assert.match(stranger.advice ?? '', /export triton/);

  peer.isReady = false;
  assert.match((await ask(peer.url)).detail, /server is not ready/);
  assert.match((await ask('http://127.0.0.1:1')).detail, /connection .* failed\. \(ECONNREFUSED\)/);
  assert.match((await ask('gpu-host:8000')).detail, /must be of the form/);
});
