import type { CoverEncoder } from '../core/ports.ts';
import type { ImageTower } from './cover-encoder.ts';

/**
 * Covers for recall by one bundle and reranking by another: the embedding is the first one's, the image tokens are the
 * second one's, and OCR presence is the first one's where it has that head.
 */
export function createPairedCoverEncoder(recall: ImageTower, rerank: ImageTower): CoverEncoder {
  return {
    model: recall.model,
    async encode(bytes, signal) {
      const [{ features, thumbnail }, other] = await Promise.all([
        recall.encode(bytes, signal),
        rerank.features(bytes, signal),
      ]);
      const ocrPresence = features.ocrPresence ?? other.ocrPresence;
      return { features: { embedding: features.embedding, tokens: other.tokens, ocrPresence }, thumbnail };
    },
  };
}
