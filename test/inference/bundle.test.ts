import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BundleManifest, bundleHash } from '../../src/core/bundle-format.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { openBundle } from '../../src/inference/bundle.ts';

function copyOfDemo(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'coverrank-bundle-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(packageRoot, 'models/demo'), folder, { recursive: true });
  return folder;
}

function editManifest(folder: string, edit: (manifest: BundleManifest) => BundleManifest): void {
  const file = join(folder, 'bundle.json');
  writeFileSync(file, JSON.stringify(edit(JSON.parse(readFileSync(file, 'utf8')))));
}

/** An edit by somebody who also brings the hash up to date. */
function rehashed(manifest: BundleManifest): BundleManifest {
  return { ...manifest, hash: bundleHash(manifest) };
}

const refused = (words: RegExp) => (error: unknown) => isFailure(error, 'invalid_bundle') && words.test(error.message);

test('the demo bundle is what its manifest says', async () => {
  const { ref, manifest } = await openBundle(join(packageRoot, 'models/demo'));
  assert.equal(ref.name, 'demo');
  assert.equal(ref.hash, bundleHash(manifest));
});

test('one changed byte in a weights file is found, and the file named', async (t) => {
  const folder = copyOfDemo(t);
  const file = join(folder, 'image.onnx.data');
  const bytes = readFileSync(file);
  bytes[12_345] = (bytes[12_345] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  await assert.rejects(openBundle(folder), refused(/image\.onnx\.data is damaged/));
});

test('a cut-off or missing file is named', async (t) => {
  const folder = copyOfDemo(t);
  writeFileSync(join(folder, 'vocab.txt'), '[PAD]\n');
  await assert.rejects(openBundle(folder), refused(/vocab\.txt is not \d+ bytes long/));
  rmSync(join(folder, 'vocab.txt'));
  await assert.rejects(openBundle(folder), refused(/lacks .*vocab\.txt/));
});

test('a manifest that was edited by hand is refused', async (t) => {
  const folder = copyOfDemo(t);
  editManifest(folder, (manifest) => ({ ...manifest, fusion: { cosine: 2 } }));
  await assert.rejects(openBundle(folder), refused(/changed after the bundle was made/));
});

test('a manifest cannot reach outside its folder or use a file without a digest', async (t) => {
  const outside = copyOfDemo(t);
  const digest = { bytes: 1, sha256: '' };
  editManifest(outside, (manifest) => rehashed({ ...manifest, files: { ...manifest.files, '../x': digest } }));
  await assert.rejects(openBundle(outside), refused(/outside its folder/));
  const unlisted = copyOfDemo(t);
  editManifest(unlisted, (manifest) => {
    const { 'vocab.txt': _, ...files } = manifest.files;
    return rehashed({ ...manifest, files });
  });
  await assert.rejects(openBundle(unlisted), refused(/vocab\.txt without listing its digest/));
});

test('a folder that is no bundle, or a manifest of another form, is refused with the reason', async (t) => {
  await assert.rejects(openBundle(tmpdir()), refused(/has no bundle\.json/));
  const folder = copyOfDemo(t);
  editManifest(folder, (manifest) => ({ ...manifest, embedding_dim: 0 }));
  await assert.rejects(openBundle(folder), refused(/embedding_dim/));
});
