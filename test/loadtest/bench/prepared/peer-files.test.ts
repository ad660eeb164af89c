import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { prepareDataFolder } from '../../../../loadtest/bench/prepared/data-folder.ts';
import { preparePeerFiles } from '../../../../loadtest/bench/prepared/peer-files.ts';
import { createVectorSource } from '../../../../loadtest/bench/prepared/vectors.ts';
import { parseNpy } from '../../../../src/cli/npy.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';
import { readManifest } from '../../../../src/inference/bundle.ts';
import { openCoverStore } from '../../../../src/store/cover-store.ts';
import { dataDirPaths } from '../../../../src/store/data-dir/data-dir.ts';

test('the peer gets the vectors and image tokens of the covers, in their order', async (t) => {
  const cache = await mkdtemp(join(tmpdir(), 'bench-peer-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  const bundle = join(packageRoot, 'models', 'demo');
  const { embedding_dim: dim, tokens: shape } = readManifest(bundle);
  assert.ok(shape !== null);
  const dataDir = await prepareDataFolder({ cache, bundle, covers: 12, withTokens: 5 });
  const folder = await preparePeerFiles(cache, dataDir, 5);

  const vectors = parseNpy(await readFile(join(folder, 'vectors.npy')), 'vectors.npy');
  assert.deepEqual(vectors.shape, [12, dim]);
  const source = createVectorSource({ dim, count: 12, draw: 1 });
  const expected = Array.from({ length: 12 }, () => [...source.next()]);
  assert.deepEqual([...vectors.data], expected.flat());

  const scales = parseNpy(await readFile(join(folder, 'token_scales.npy')), 'token_scales.npy');
  assert.deepEqual(scales.shape, [5, shape.count]);
  const values = await readFile(join(folder, 'token_values.npy'));
  const store = openCoverStore(dataDirPaths(dataDir).store);
  t.after(() => store.close());
  const size = shape.count * shape.width;
  for (let cover = 0; cover < 5; cover++) {
    const stored = Buffer.from(store.tokens(store.labelOf(`cover-${cover}`) ?? 0) ?? []);
    const start = values.length - (5 - cover) * size;
    assert.ok(values.subarray(start, start + size).equals(stored.subarray(4 * shape.count)), `cover ${cover}`);
  }
});
