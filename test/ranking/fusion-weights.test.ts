import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BundleManifest } from '../../src/core/bundle-format.ts';
import { isFailure } from '../../src/core/errors.ts';
import { fusionWeights, offeredSignals } from '../../src/ranking/fusion-weights.ts';

type Ranks = Pick<BundleManifest, 'signals' | 'fusion'>;
const uniclip: Ranks = {
  signals: ['cosine', 'ocr_presence', 'ocr_semantic', 'itm', 'ocr_match'],
  fusion: { cosine: 1, ocr_semantic: 0.06, itm: 0.2 },
};
const r2d2: Ranks = { signals: ['cosine', 'itm_text', 'itm_image', 'itm'], fusion: { cosine: 0.5, itm: 1 } };
const of = (recall: Ranks, rerank: Ranks) => ({ recall, rerank }) as { recall: BundleManifest; rerank: BundleManifest };

test('of two bundles each gives the weights of its own signals', () => {
  assert.deepEqual(fusionWeights({}, of(uniclip, uniclip)), uniclip.fusion);
  assert.deepEqual(fusionWeights({}, of(uniclip, r2d2)), { cosine: 1, itm: 1 });
  assert.deepEqual(fusionWeights({}, of(r2d2, uniclip)), { cosine: 0.5, ocr_semantic: 0.06, itm: 0.2 });
  assert.deepEqual(offeredSignals(of(uniclip, r2d2)), ['cosine', 'ocr_presence', 'itm_text', 'itm_image', 'itm']);
});

test('configured weights replace them all, and have to be for signals that there are', () => {
  assert.deepEqual(fusionWeights({ itm_text: 2 }, of(uniclip, r2d2)), { itm_text: 2 });
  assert.throws(
    () => fusionWeights({ cosin: 1 }, of(uniclip, r2d2)),
    (error) =>
      isFailure(error, 'invalid_config') && /cosin, but what is loaded offers cosine, ocr_presence/.test(error.message),
  );
});
