import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { packageRoot } from '../../../src/core/package-root.ts';
import { readCaptions } from '../../../src/eval/judgements/captions.ts';
import { openPictureFolder } from '../../../src/eval/pictures/folder.ts';
import type { EvaluatedModel } from '../../../src/eval/scoring/evaluated-model.ts';
import { openScoreCache } from '../../../src/eval/scoring/score-cache.ts';
import { scoreCaptions } from '../../../src/eval/scoring/score-captions.ts';
import { signalsOf } from '../../../src/ranking/fuse.ts';
import { type ExactFeatures, type OfflineModel, openOfflineModel } from '../../../src/services.ts';
import { bytesOf } from '../fixtures.ts';

const SAMPLES = join(packageRoot, 'index', 'samples');
const COVERS = ['cover-0000', 'cover-0002'];
let model: OfflineModel;

before(async () => {
  model = await openOfflineModel(join(packageRoot, 'models', 'demo'), { maxPixels: 1_000_000 });
});
after(() => model.close());

/** The demo bundle, with its head for OCR presence or as a bundle without heads has it. */
function evaluated(hasHeads: boolean): EvaluatedModel<ExactFeatures> {
  const { manifest } = model.bundle;
  return {
    name: manifest.name,
    hash: manifest.hash,
    embeddingDim: manifest.embedding_dim,
    hasCrossEncoder: hasHeads,
    encodeTexts: model.encodeTexts,
    async encodePicture(bytes) {
      const features = await model.encodePicture(bytes);
      return hasHeads ? features : { ...features, ocrPresence: undefined };
    },
    encodeBlank: () => assert.fail('every cover has a picture'),
    crossScore: model.crossScore,
  };
}

test('where the recall bundle has no head for drawn text, the reranker says whether there is any', async () => {
  const rows = COVERS.map((cover, number) => `${cover}#0\ttext ${number}`);
  const captions = readCaptions(bytesOf(rows.join('\n')), 'captions');
  const { reranked } = await scoreCaptions(captions, 2, {
    recall: { model: evaluated(false), cache: await openScoreCache(undefined, '') },
    rerank: { model: evaluated(true), cache: await openScoreCache(undefined, '') },
    pictures: await openPictureFolder(SAMPLES),
    signalsOf,
    score: (signals) => signals['ocr_presence'] ?? Number.NaN,
  });
  for (const [image, cover] of COVERS.entries()) {
    const { ocrPresence } = await model.encodePicture(await readFile(join(SAMPLES, `${cover}.webp`)));
    for (const text of captions.texts.keys()) {
      const used = reranked?.get(image)?.get(text) ?? Number.NaN;
      assert.ok(Math.abs(used - (ocrPresence ?? 9)) < 1e-6, `${cover}: ${used} in place of ${ocrPresence}`);
    }
  }
});
