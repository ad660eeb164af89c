import type { Value } from '../onnx/graph.ts';
import { selfAttention, torchAttention } from './attention.ts';
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

/**
 * CLIP's residual blocks, layer norm first: x += attention(ln_1 x); x += mlp(ln_2 x).
 * Every addition is done together with the norm that follows it.
 */
export interface EncoderBlocks {
  /** Blocks are `<prefix>.0`, `<prefix>.1`, ... */
  readonly prefix: string;
  readonly layers: number;
  readonly heads: number;
  /** Only row 0 of the result is wanted: the last block computes nothing else, and the result is [B, 1, W]. */
  readonly firstRowOnly: boolean;
}

/** x [B, S, W] → [B, S, W], or [B, 1, W]. */
export function encoderBlocks(tower: Tower, x: Value, { prefix, layers, heads, firstRowOnly }: EncoderBlocks): Value {
  let sum = x;
  let normed = layerNorm(tower, x, `${prefix}.0.ln_1`, CLIP_EPSILON);
  for (let layer = 0; layer < layers; layer++) {
    const block = `${prefix}.${layer}`;
    const isLast = layer === layers - 1;
    const cut = isLast && firstRowOnly;
    const attended = selfAttention(tower, normed, torchAttention(tower.weights, `${block}.attn`), {
      heads,
      firstRowOnly: cut,
    });
    const middle = addAndNorm(
      tower,
      {
        x: linearWithoutBias(tower, attended, `${block}.attn.out_proj`),
        skip: cut ? firstRow(tower, sum) : sum,
        bias: tower.weights.get(`${block}.attn.out_proj.bias`),
      },
      `${block}.ln_2`,
      CLIP_EPSILON,
      true,
    );
    const end = {
      x: quickGeluMlp(tower, middle.normed, `${block}.mlp`),
      skip: middle.sum,
      bias: tower.weights.get(`${block}.mlp.c_proj.bias`),
    };
    if (isLast) return tower.graph.add('Add', [addBias(tower, end.x, end.bias), end.skip]);
    ({ sum, normed } = addAndNorm(tower, end, `${prefix}.${layer + 1}.ln_1`, CLIP_EPSILON, true));
  }
  return sum;
}

/** c_proj(QuickGELU(c_fc x)) without the last bias; QuickGELU(x) = x * sigmoid(1.702 x). */
export function quickGeluMlp(tower: Tower, x: Value, name: string): Value {
  const hidden = tower.graph.add('QuickGelu', [linear(tower, x, `${name}.c_fc`)], { alpha: { float: 1.702 } });
  return linearWithoutBias(tower, hidden, `${name}.c_proj`);
}
