import type { Value } from '../onnx/graph.ts';
import type { WeightSource } from '../weights.ts';
import { type AttentionWeights, type SplitNames, selfAttention, splitAttention, torchAttention } from './attention.ts';
import {
  addAndNorm,
  addBias,
  CLIP_EPSILON,
  firstRow,
  layerNorm,
  linear,
  linearWithoutBias,
  type Tower,
} from './layers.ts';

/** What a checkpoint calls the parts of a block. */
export interface BlockNames {
  /** Norm before the attention, and the one before the MLP. */
  readonly norms: readonly [string, string];
  readonly attention: string;
  /** Names of the three projections; undefined where they are stacked as torch.nn.MultiheadAttention has them. */
  readonly projections: SplitNames | undefined;
  readonly outProjection: string;
  /** The two linear layers. */
  readonly mlp: readonly [string, string];
}

/** As in OpenAI's CLIP. */
export const OPENAI_BLOCK: BlockNames = {
  norms: ['ln_1', 'ln_2'],
  attention: 'attn',
  projections: undefined,
  outProjection: 'out_proj',
  mlp: ['mlp.c_fc', 'mlp.c_proj'],
};

/** As in CLIP of the transformers library. */
export const TRANSFORMERS_BLOCK: BlockNames = {
  norms: ['layer_norm1', 'layer_norm2'],
  attention: 'self_attn',
  projections: { query: 'q_proj', key: 'k_proj', value: 'v_proj' },
  outProjection: 'out_proj',
  mlp: ['mlp.fc1', 'mlp.fc2'],
};

/**
 * CLIP's residual blocks, layer norm first: x += attention(norm x); x += mlp(norm x).
 * Every addition is done together with the norm that follows it.
 */
export interface EncoderBlocks {
  /** Blocks are `<prefix>.0`, `<prefix>.1`, ... */
  readonly prefix: string;
  readonly names: BlockNames;
  readonly layers: number;
  readonly heads: number;
  /** Only row 0 of the result is wanted: the last block computes nothing else, and the result is [B, 1, W]. */
  readonly firstRowOnly: boolean;
}

/** x [B, S, W] → [B, S, W], or [B, 1, W]. */
export function encoderBlocks(tower: Tower, x: Value, blocks: EncoderBlocks): Value {
  const { prefix, names, layers, heads, firstRowOnly } = blocks;
  const [attentionNorm, mlpNorm] = names.norms;
  let sum = x;
  let normed = layerNorm(tower, x, `${prefix}.0.${attentionNorm}`, CLIP_EPSILON);
  for (let layer = 0; layer < layers; layer++) {
    const block = `${prefix}.${layer}`;
    const isLast = layer === layers - 1;
    const cut = isLast && firstRowOnly;
    const attention = `${block}.${names.attention}`;
    const attended = selfAttention(tower, normed, blockAttention(tower.weights, attention, names), {
      heads,
      firstRowOnly: cut,
    });
    const middle = addAndNorm(
      tower,
      {
        x: linearWithoutBias(tower, attended, `${attention}.${names.outProjection}`),
        skip: cut ? firstRow(tower, sum) : sum,
        bias: tower.weights.get(`${attention}.${names.outProjection}.bias`),
      },
      `${block}.${mlpNorm}`,
      CLIP_EPSILON,
      true,
    );
    const [mlpIn, mlpOut] = names.mlp;
    const end = {
      x: quickGeluMlp(tower, middle.normed, `${block}.${mlpIn}`, `${block}.${mlpOut}`),
      skip: middle.sum,
      bias: tower.weights.get(`${block}.${mlpOut}.bias`),
    };
    if (isLast) return tower.graph.add('Add', [addBias(tower, end.x, end.bias), end.skip]);
    ({ sum, normed } = addAndNorm(tower, end, `${prefix}.${layer + 1}.${attentionNorm}`, CLIP_EPSILON, true));
  }
  return sum;
}

function blockAttention(weights: WeightSource, name: string, { projections }: BlockNames): AttentionWeights {
  return projections === undefined ? torchAttention(weights, name) : splitAttention(weights, name, projections);
}

/** out(QuickGELU(in x)) without the last bias; QuickGELU(x) = x * sigmoid(1.702 x). */
export function quickGeluMlp(tower: Tower, x: Value, into: string, out: string): Value {
  const hidden = tower.graph.add('QuickGelu', [linear(tower, x, into)], { alpha: { float: 1.702 } });
  return linearWithoutBias(tower, hidden, out);
}
