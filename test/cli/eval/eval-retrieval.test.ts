import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type BundleManifest, bundleHash } from '../../../src/core/bundle-format.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { coverrank } from '../coverrank.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');

/** The demo bundle as one without a reranker would be. */
function writeTowers(folder: string): string {
  const towers = join(folder, 'towers');
  cpSync(join(packageRoot, 'models/demo'), towers, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(towers, 'bundle.json'), 'utf8')) as BundleManifest;
  const { preprocess, image, text: textGraph } = manifest.graphs;
  const changed: BundleManifest = {
    ...manifest,
    name: 'towers',
    rerank: null,
    tokens: null,
    graphs: { preprocess, image, text: textGraph },
    signals: ['cosine'],
    fusion: { cosine: 1 },
    self_test: { ...manifest.self_test, rerank: null },
  };
  writeFileSync(join(towers, 'bundle.json'), JSON.stringify({ ...changed, hash: bundleHash(changed) }));
  return towers;
}

test('pairs for a cross-encoder are refused where there is none, and the cosine alone is not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-retrieval-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const captions = join(folder, 'captions.tsv');
  writeFileSync(captions, 'cover-0000#0\ta car\ncover-0002#0\ta trophy\n');
  const args = ['eval', 'retrieval', '--data', captions, '--images', SAMPLES, '--no-cache', '--json'];
  const towers = ['--model', writeTowers(folder)];

  const refused = await coverrank(...args, ...towers, '--top-pairs', '2');
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /^coverrank: .*towers does not have.*--rerank-model.*--top-pairs/);

  const byCosine = await coverrank(...args, ...towers);
  assert.equal(byCosine.code, 0, byCosine.stderr);
  const reranked = await coverrank(
    ...args,
    ...towers,
    '--top-pairs',
    '2',
    '--rerank-model',
    join(packageRoot, 'models/demo'),
  );
  assert.equal(reranked.code, 0, reranked.stderr);
});
