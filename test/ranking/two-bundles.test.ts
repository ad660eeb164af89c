import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { defaultConfig } from '../../src/config.ts';
import type { Config } from '../../src/config-schema.ts';
import { isFailure } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { parseItem } from '../../src/indexing/item.ts';
import { weigh } from '../../src/ranking/fuse.ts';
import { createServices, openOfflineModel, type Services } from '../../src/services.ts';
import { convert, writeGoldenCheckpoint } from '../convert/golden-model.ts';

/** Recall by the demo bundle, reranking by another: UniCLIP's mini checkpoint, whose heads have other sizes. */
const log = pino({ level: 'silent' });
const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'coverrank-two-'));
const samples = join(packageRoot, 'index/samples');
const numbers = ['0000', '0001', '0002', '0003', '0004'];
const reranker = join(folder, 'mini');
const config: Config = defaultConfig({ data_dir: join(folder, 'data'), rerank_model: reranker });
let services: Services;

const picture = (number: string): Buffer => readFileSync(join(samples, `cover-${number}.webp`));

before(async () => {
  await convert(await writeGoldenCheckpoint(folder), reranker);
  services = await createServices(config, log);
  const items = numbers.map((number) => parseItem({ id: number, image_base64: picture(number).toString('base64') }));
  for await (const { error } of services.indexer.index(items, { signal: never, until: 'searchable' })) {
    assert.equal(error, undefined);
  }
});
after(async () => {
  await services.close();
  rmSync(folder, { recursive: true });
});

test('the cosine is of the one bundle, the semantic signal of the other', async () => {
  const request = { query: '驼鹿 moose', topN: 5, recallK: 5, rerankK: 5, deadlineMs: 10_000 };
  const { hits, model, degraded } = await services.ranker.rank(request, never);
  assert.deepEqual([model.recall.name, model.rerank?.name], ['demo', 'mini']);
  assert.deepEqual(degraded, []);

  const mini = await openOfflineModel(reranker, { maxPixels: 1e7 });
  const demo = await openOfflineModel(config.model, { maxPixels: 1e7 });
  try {
    const [text] = await demo.encodeTexts([request.query]);
    for (const { id, signals, relevanceScore } of hits) {
      const [semantic] = await mini.crossScore(request.query, [await mini.encodePicture(picture(id))]);
      const difference = (signals['ocr_semantic'] ?? 9) - (semantic?.['ocr_semantic'] ?? 0);
      // Stored tokens are int8; the mini model's random weights make much of the difference.
      assert.ok(Math.abs(difference) < 0.05, `${id}: ${difference}`);
      const { embedding, ocrPresence } = await demo.encodePicture(picture(id));
      const cosine = embedding.reduce((sum, value, i) => sum + value * (text?.[i] ?? 0), 0);
      assert.ok(Math.abs((signals['cosine'] ?? 9) - cosine) < 0.02, id);
      assert.ok(Math.abs((signals['ocr_presence'] ?? 9) - (ocrPresence ?? 0)) < 0.02, id);
      // The cosine's weight is the demo's; those that it has for its own heads are not for another bundle's.
      assert.ok(Math.abs(relevanceScore - weigh(signals, { cosine: 1 }).relevanceScore) < 1e-9, id);
    }
  } finally {
    await mini.close();
    await demo.close();
  }
});

test('an index of two bundles belongs to both', async () => {
  await services.close();
  const alone = { ...config, rerank_model: '' };
  await assert.rejects(createServices(alone, log), (error) => isFailure(error, 'bundle_mismatch'));
  services = await createServices(config, log);
  assert.equal(services.index.status().bundle.name, 'demo+mini');
});
