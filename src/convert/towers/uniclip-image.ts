import type { Value } from '../onnx/graph.ts';
import { encoderBlocks, OPENAI_BLOCK } from './encoder-blocks.ts';
import { outputTokens, type TokenShape } from './image-tokens.ts';
import {
  CLIP_EPSILON,
  firstRow,
  layerNorm,
  matmul,
  outputEmbedding,
  probabilityOfSecondClass,
  type Tower,
} from './layers.ts';
import { OPENAI_VIT, openaiVit, pixelsInput, type VitOptions, vitTokens } from './vit.ts';

export interface UniclipImageOptions extends Omit<VitOptions, 'names' | 'classTokenOnly'> {
  readonly embeddingDim: number;
  /** Layers of the OCR presence head; null where there is none. */
  readonly presenceLayers: number | null;
  readonly tokens: TokenShape;
  /** True when a reranker or the presence head reads the tokens. */
  readonly needsTokens: boolean;
  /** Layers of an image tower that the matching head has for itself; null where it reads the tokens of the other one. */
  readonly matchingTowerLayers: number | null;
}

/** What a checkpoint puts before the tensors of the matching head's own image tower. */
export const MATCHING_TOWER = 'itm_visual';

/**
 * CLIP's ViT with UniCLIP's presence head. Tokens are the output of the last block, before ln_post; the embedding is
 * ln_post(token 0) @ proj, normalised. Where the matching head has a tower of its own, that tower's tokens
 * come behind these, or alone where no other head reads these.
 */
export function addImageGraph(tower: Tower, options: UniclipImageOptions): void {
  const { needsTokens, embeddingDim, presenceLayers, heads } = options;
  const pixels = pixelsInput(tower.graph, options);
  const tokens = vitTokens(tower, pixels, { ...options, names: OPENAI_VIT, classTokenOnly: !needsTokens });
  const classToken = needsTokens ? firstRow(tower, tokens) : tokens;
  const normed = layerNorm(tower, classToken, 'visual.ln_post', CLIP_EPSILON);
  outputEmbedding(tower, matmul(tower, normed, tower.weights.get('visual.proj')), embeddingDim);
  if (!needsTokens) return;

  const byTower = [tokens, ...matchingTokens(tower, pixels, options)].slice(-options.tokens.towers);
  outputTokens(tower.graph, byTower, options.tokens);
  if (presenceLayers !== null) addPresence(tower, tokens, presenceLayers, heads);
}

function matchingTokens(tower: Tower, pixels: Value, options: UniclipImageOptions): Value[] {
  const { matchingTowerLayers: layers } = options;
  if (layers === null) return [];
  return [vitTokens(tower, pixels, { ...options, layers, names: openaiVit(MATCHING_TOWER), classTokenOnly: false })];
}

/** Encoder blocks over the tokens; token 0 of the last decides whether text is drawn on the picture. */
function addPresence(tower: Tower, tokens: Value, layers: number, heads: number): void {
  const prefix = 'ocr_presence_decoder.resblocks';
  const first = encoderBlocks(tower, tokens, { prefix, names: OPENAI_BLOCK, layers, heads, firstRowOnly: true });
  const normed = layerNorm(tower, first, 'ln_ocr_presence', CLIP_EPSILON);
  const logits = tower.graph.addExact('MatMul', [normed, tower.graph.weight(tower.weights.get('proj_ocr_presence'))]);
  tower.graph.output(probabilityOfSecondClass(tower, logits), 'ocr_presence', 'float32', ['B']);
}
