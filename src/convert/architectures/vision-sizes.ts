import { failure } from '../../core/errors.ts';
import { OPENAI_VIT, type VitNames } from '../towers/vit.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { countLayers, gridSize, HEAD_WIDTH, headCount, mlpWidth, shapeOf } from './size-readers.ts';

/** CLIP's vision transformer. */
export interface VitSizes {
  readonly kind: 'vit';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpWidth: number;
  readonly patch: number;
  /** Patches along one side, as the position table was trained. */
  readonly grid: number;
  /** Side of the picture in pixels, as trained. */
  readonly size: number;
}

/** CLIP's modified ResNet: a stem of three convolutions, four stages of bottlenecks, an attention pool. */
export interface ResnetSizes {
  readonly kind: 'resnet';
  /** Channels that leave the stem; stage s has width * 2^(s + 2), the pool width * 32. */
  readonly width: number;
  /** Bottlenecks of each stage. */
  readonly blocks: readonly number[];
  /** Of the attention pool. */
  readonly heads: number;
  /** Cells along one side that reach the pool. */
  readonly grid: number;
  readonly size: number;
}

/** Head counts are not in the weights. Undefined means the published models' rule. */
export interface HeadCounts {
  readonly vision: number | undefined;
  readonly text: number | undefined;
}

export type VisionSizes = VitSizes | ResnetSizes;

/** ViT-H/14, the one published ViT whose heads are not 64 wide. */
const WIDE_VIT = { width: 1280, headWidth: 80 };

const RESNET_STAGES = [1, 2, 3, 4] as const;
/** Pixels along one side that become one cell of the pool's grid. */
const RESNET_STRIDE = 32;

/** Tells OpenAI's two image towers apart and reads their sizes. `heads` undefined means the published models' rule. */
export function readVisionSizes(weights: CanonicalWeights, heads: number | undefined): VisionSizes {
  const isResnet = weights.has('visual.layer1.0.conv1.weight');
  return isResnet ? readResnet(weights, heads) : readVitSizes(weights, OPENAI_VIT, heads);
}

export function readVitSizes(weights: CanonicalWeights, names: VitNames, heads: number | undefined): VitSizes {
  const [width = 0, channels, patch = 0, patchAcross] = shapeOf(weights, names.patchEmbedding, 4);
  if (channels !== 3 || patch !== patchAcross) {
    throw failure('invalid_checkpoint', `${names.patchEmbedding} is no square patch embedding of three colours.`);
  }
  const grid = gridSize(weights, names.positions);
  return {
    kind: 'vit',
    width,
    layers: countLayers(weights, names.blocks),
    heads: headCount('vision', width, width === WIDE_VIT.width ? WIDE_VIT.headWidth : HEAD_WIDTH, heads),
    mlpWidth: mlpWidth(weights, `${names.blocks}.0.${names.block.mlp[0]}.weight`),
    patch,
    grid,
    size: grid * patch,
  };
}

function readResnet(weights: CanonicalWeights, heads: number | undefined): ResnetSizes {
  const [width = 0] = shapeOf(weights, 'visual.layer1.0.conv1.weight', 4);
  const grid = gridSize(weights, 'visual.attnpool.positional_embedding');
  return {
    kind: 'resnet',
    width,
    blocks: RESNET_STAGES.map((stage) => countLayers(weights, `visual.layer${stage}`)),
    heads: headCount('vision', width * 32, HEAD_WIDTH, heads),
    grid,
    size: grid * RESNET_STRIDE,
  };
}
