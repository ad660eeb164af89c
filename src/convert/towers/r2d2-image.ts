import { outputTokens, type TokenShape } from './image-tokens.ts';
import { firstRow, linear, outputEmbedding, type Tower } from './layers.ts';
import { pixelsInput, type VitOptions, vitTokens } from './vit.ts';

export interface R2d2ImageOptions extends VitOptions {
  readonly embeddingDim: number;
  readonly tokens: TokenShape;
}

/** R2D2's image tower: the last block's output, without a norm behind it, is both the tokens and what is projected. */
export function addR2d2ImageGraph(tower: Tower, options: R2d2ImageOptions): void {
  const { classTokenOnly, embeddingDim } = options;
  const tokens = vitTokens(tower, pixelsInput(tower.graph, options), options);
  const classToken = classTokenOnly ? tokens : firstRow(tower, tokens);
  outputEmbedding(tower, linear(tower, classToken, 'vision_proj'), embeddingDim);
  if (!classTokenOnly) outputTokens(tower.graph, [tokens], options.tokens);
}
