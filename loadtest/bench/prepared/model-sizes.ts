import type { UniclipSizes } from '../../../src/convert/architectures/uniclip-sizes.ts';

/** Rows of the Chinese BERT vocabulary. */
const VOCABULARY = 21_128;

export const MODEL_SIZES = ['full', 'tiny'] as const;
/** `full`: as released, ViT-B/16 with RoBERTa-base and both OCR heads. `tiny`: the same kind, to try the bench itself. */
export type ModelSize = (typeof MODEL_SIZES)[number];

interface Dimensions {
  readonly width: number;
  readonly layers: number;
  readonly headLayers: number;
  readonly embeddingDim: number;
  readonly patch: number;
  readonly imageSize: number;
  readonly positions: number;
}

const DIMENSIONS: Readonly<Record<ModelSize, Dimensions>> = {
  full: { width: 768, layers: 12, headLayers: 3, embeddingDim: 512, patch: 16, imageSize: 224, positions: 512 },
  tiny: { width: 128, layers: 2, headLayers: 1, embeddingDim: 64, patch: 16, imageSize: 64, positions: 64 },
};

const HEAD_WIDTH = 64;

export function uniclipSizes(size: ModelSize): UniclipSizes {
  const { width, layers, headLayers, embeddingDim, patch, imageSize, positions } = DIMENSIONS[size];
  const heads = width / HEAD_WIDTH;
  const mlpWidth = 4 * width;
  return {
    embeddingDim,
    vision: { kind: 'vit', width, layers, heads, mlpWidth, patch, grid: imageSize / patch, size: imageSize },
    text: { width, layers, heads, mlpWidth, vocabulary: VOCABULARY, positions },
    presence: { layers: headLayers, mlpWidth },
    matching: null,
    semantic: { layers: headLayers, mlpWidth, vocabulary: VOCABULARY, positions },
  };
}
