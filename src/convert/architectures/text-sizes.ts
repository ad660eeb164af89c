import type { CanonicalWeights } from './canonical-names.ts';
import { countLayers, HEAD_WIDTH, headCount, mlpWidth, shapeOf } from './size-readers.ts';

/** BERT. */
export interface TextSizes {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly positions: number;
}

/** Reads the sizes of the BERT whose tensors are under `name`. `heads` undefined means the published models' rule. */
export function readTextSizes(weights: CanonicalWeights, name: string, heads: number | undefined): TextSizes {
  const [vocabulary = 0, width = 0] = shapeOf(weights, `${name}.embeddings.word_embeddings.weight`, 2);
  return {
    width,
    layers: countLayers(weights, `${name}.encoder.layer`),
    heads: headCount('text', width, HEAD_WIDTH, heads),
    mlpWidth: mlpWidth(weights, `${name}.encoder.layer.0.intermediate.dense.weight`),
    vocabulary,
    positions: shapeOf(weights, `${name}.embeddings.position_embeddings.weight`, 2)[0] ?? 0,
  };
}
