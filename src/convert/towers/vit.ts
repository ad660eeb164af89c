import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { resizedPositions } from '../position-table.ts';
import { named } from '../weights.ts';
import { type BlockNames, encoderBlocks, OPENAI_BLOCK } from './encoder-blocks.ts';
import { CLIP_EPSILON, layerNorm, type Tower } from './layers.ts';

/** What a checkpoint calls the parts of a ViT. */
export interface VitNames {
  readonly patchEmbedding: string;
  readonly classEmbedding: string;
  readonly positions: string;
  /** The norm before the blocks. */
  readonly firstNorm: string;
  readonly blocks: string;
  readonly block: BlockNames;
}

/** As in OpenAI's CLIP. */
export const OPENAI_VIT = openaiVit('visual');

export function openaiVit(prefix: string): VitNames {
  return {
    patchEmbedding: `${prefix}.conv1.weight`,
    classEmbedding: `${prefix}.class_embedding`,
    positions: `${prefix}.positional_embedding`,
    firstNorm: `${prefix}.ln_pre`,
    blocks: `${prefix}.transformer.resblocks`,
    block: OPENAI_BLOCK,
  };
}

export interface VitOptions {
  readonly names: VitNames;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly patch: number;
  /** Patches along one side, as the position table was trained. */
  readonly trainedGrid: number;
  /** Patches along one side that the graph is made for. */
  readonly grid: number;
  /** True when the class token alone is wanted: the last block computes nothing else. */
  readonly classTokenOnly: boolean;
}

/** What every image tower is given: [B, 3, R, R]. */
export function pixelsInput(graph: GraphBuilder, { grid, patch }: Pick<VitOptions, 'grid' | 'patch'>): Value {
  return graph.input('pixel_values', 'float32', ['B', 3, grid * patch, grid * patch]);
}

/** CLIP's ViT: pixels to the output of the last block, [B, N, W] with the class token first, or [B, 1, W]. */
export function vitTokens(tower: Tower, pixels: Value, options: VitOptions): Value {
  const { names, layers, heads } = options;
  return encoderBlocks(tower, patchTokens(tower, pixels, options), {
    prefix: names.blocks,
    names: names.block,
    layers,
    heads,
    firstRowOnly: options.classTokenOnly,
  });
}

/** Patches, class token and positions, normalised: [B, 3, R, R] → [B, N, W]. */
function patchTokens(tower: Tower, pixels: Value, { names, width, patch, trainedGrid, grid }: VitOptions): Value {
  const { graph, weights } = tower;
  const map = graph.add('Conv', [pixels, graph.weight(weights.get(names.patchEmbedding))], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  });
  const rows = graph.add('Reshape', [map, graph.int64s([0, width, -1])]);
  const patches = graph.add('Transpose', [rows], { perm: [0, 2, 1] });

  const classToken = named(names.classEmbedding, weights.get(names.classEmbedding), [1, 1, width]);
  const batch = graph.add('Shape', [pixels], { start: 0, end: 1 });
  const expandedShape = graph.add('Concat', [batch, graph.int64s([1, width])], { axis: 0 });
  const classTokens = graph.add('Expand', [graph.weight(classToken), expandedShape]);

  const sequence = graph.add('Concat', [classTokens, patches], { axis: 1 });
  const positions = resizedPositions(weights.get(names.positions), trainedGrid, grid);
  const placed = graph.add('Add', [sequence, graph.weight(positions)]);
  return layerNorm(tower, placed, names.firstNorm, CLIP_EPSILON);
}
