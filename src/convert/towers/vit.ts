import type { Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';
import { resizedPositions } from '../position-table.ts';
import { named } from '../weights.ts';
import { encoderBlocks } from './encoder-blocks.ts';
import {
  CLIP_EPSILON,
  firstRow,
  l2Normalised,
  layerNorm,
  matmul,
  probabilityOfSecondClass,
  type Tower,
} from './layers.ts';

export interface VitOptions {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly patch: number;
  /** Patches along one side, as the position table was trained. */
  readonly trainedGrid: number;
  /** Patches along one side that the graph is made for. */
  readonly grid: number;
  readonly embeddingDim: number;
  /** Layers of the OCR presence head; null where there is none. */
  readonly presenceLayers: number | null;
  /** True when a reranker or the presence head reads the tokens; else the last block computes the class token alone. */
  readonly needsTokens: boolean;
}

/**
 * CLIP's ViT. Tokens are the output of the last block, before ln_post; the embedding is ln_post(token 0) @ proj,
 * normalised.
 */
export function addImageGraph(tower: Tower, options: VitOptions): void {
  const { graph, weights } = tower;
  const { width, layers, heads, embeddingDim, grid, patch } = options;
  const size = grid * patch;
  const pixels = graph.input('pixel_values', 'float32', ['B', 3, size, size]);
  const tokens = encoderBlocks(tower, patchTokens(tower, pixels, options), {
    prefix: 'visual.transformer.resblocks',
    layers,
    heads,
    firstRowOnly: !options.needsTokens,
  });
  const classToken = options.needsTokens ? firstRow(tower, tokens) : tokens;
  const normed = layerNorm(tower, classToken, 'visual.ln_post', CLIP_EPSILON);
  const projected = matmul(tower, normed, weights.get('visual.proj'));
  const embedding = graph.add('Reshape', [projected, graph.int64s([-1, embeddingDim])]);
  graph.output(l2Normalised(tower, embedding), 'embedding', 'float32', ['B', embeddingDim]);
  if (!options.needsTokens) return;

  addTokenOutputs(tower, tokens, grid * grid + 1, width);
  if (options.presenceLayers !== null) addPresence(tower, tokens, options.presenceLayers, heads);
}

/** Patches, class token and positions, normalised: [B, 3, R, R] → [B, N, W]. */
function patchTokens(tower: Tower, pixels: Value, { width, patch, trainedGrid, grid }: VitOptions): Value {
  const { graph, weights } = tower;
  const map = graph.add('Conv', [pixels, graph.weight(weights.get('visual.conv1.weight'))], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  });
  const rows = graph.add('Reshape', [map, graph.int64s([0, width, -1])]);
  const patches = graph.add('Transpose', [rows], { perm: [0, 2, 1] });

  const classToken = named('visual.class_embedding', weights.get('visual.class_embedding'), [1, 1, width]);
  const batch = graph.add('Shape', [pixels], { start: 0, end: 1 });
  const expandedShape = graph.add('Concat', [batch, graph.int64s([1, width])], { axis: 0 });
  const classTokens = graph.add('Expand', [graph.weight(classToken), expandedShape]);

  const sequence = graph.add('Concat', [classTokens, patches], { axis: 1 });
  const positions = resizedPositions(weights.get('visual.positional_embedding'), trainedGrid, grid);
  const placed = graph.add('Add', [sequence, graph.weight(positions)]);
  return layerNorm(tower, placed, 'visual.ln_pre', CLIP_EPSILON);
}

/** Tokens as they are, and in symmetric int8 with one scale a token. */
function addTokenOutputs({ graph }: Tower, tokens: Value, count: number, width: number): void {
  const largest = graph.add('ReduceMax', [graph.add('Abs', [tokens]), graph.int64s([-1])], { keepdims: 1 });
  // A row of zeros needs a scale that can be divided by.
  const guarded = graph.add('Max', [largest, graph.floats('least_token_magnitude', [], [1e-12])]);
  const scale = graph.add('Div', [guarded, graph.floats('int8_max', [], [127])]);
  const rounded = graph.add('Round', [graph.add('Div', [tokens, scale])]);
  const quantised = graph.add('Cast', [rounded], { to: DATA_TYPE.int8 });
  graph.output(tokens, 'tokens', 'float32', ['B', count, width]);
  graph.output(quantised, 'tokens_int8', 'int8', ['B', count, width]);
  graph.output(graph.add('Squeeze', [scale, graph.int64s([-1])]), 'token_scale', 'float32', ['B', count]);
}

/** Encoder blocks over the tokens; token 0 of the last decides whether text is drawn on the picture. */
function addPresence(tower: Tower, tokens: Value, layers: number, heads: number): void {
  const prefix = 'ocr_presence_decoder.resblocks';
  const first = encoderBlocks(tower, tokens, { prefix, layers, heads, firstRowOnly: true });
  const normed = layerNorm(tower, first, 'ln_ocr_presence', CLIP_EPSILON);
  const logits = tower.graph.add('MatMul', [normed, tower.graph.weight(tower.weights.get('proj_ocr_presence'))]);
  tower.graph.output(probabilityOfSecondClass(tower, logits), 'ocr_presence', 'float32', ['B']);
}
