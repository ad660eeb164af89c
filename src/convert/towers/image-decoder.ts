import type { Value } from '../onnx/graph.ts';
import { selfAttention, torchAttention } from './attention.ts';
import { quickGeluMlp } from './encoder-blocks.ts';
import { attendToImage, imageQuery } from './image-attention.ts';
import {
  addAndNorm,
  addBias,
  CLIP_EPSILON,
  firstRow,
  layerNorm,
  linearWithoutBias,
  probabilityOfSecondClass,
  type Tower,
} from './layers.ts';

/** Decoder blocks of UniCLIP with a judgement at their end: `blocks`.0, `blocks`.1, …, then `norm` and `projection`. */
export interface DecoderNames {
  readonly blocks: string;
  readonly norm: string;
  readonly projection: string;
}

export interface DecoderShape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly tokenCount: number;
}

export interface DecoderInputs {
  /** Rows of each text [T, R, W], and R. */
  readonly text: Value;
  readonly rows: number;
  /** Image tokens of each pair, normalised: [P, N, W]. */
  readonly memory: Value;
  /** Rows of a value [T, ...] repeated for the pairs of each text. */
  readonly perPair: (value: Value) => Value;
  /** What is added to the logits, [P, 1, 2]. */
  readonly plus?: Value | undefined;
}

/**
 * The probability of yes [P] that a stack of decoder blocks gives to each pair of a text and a picture:
 * t += self_attn(ln_1 t); t += cross_attn(ln_2 t, ln_2 memory, ln_3 memory); t += mlp(ln_4 t); read off row 0, which is
 * all that the last block computes. Everything before the first look at the image is done once a text and then repeated
 * for its pairs.
 */
export function judgePairs(tower: Tower, inputs: DecoderInputs, names: DecoderNames, shape: DecoderShape): Value {
  const { graph, weights } = tower;
  const { memory, perPair } = inputs;
  let t = inputs.text;
  for (let layer = 0; layer < shape.layers; layer++) {
    const block = `${names.blocks}.${layer}`;
    const isLast = layer === shape.layers - 1;
    const asking = { ...shape, queries: isLast ? 1 : inputs.rows };
    const step = selfAttentionStep(tower, t, block, shape.heads, isLast);
    const query = imageQuery(tower, step.normed, block, asking);
    // The first layer's text side is the same for all pairs of a text.
    const [sum, asked] = layer === 0 ? [perPair(step.sum), perPair(query)] : [step.sum, query];
    t = mlpStep(tower, sum, attendToImage(tower, asked, memory, block, asking), block);
  }
  const last = layerNorm(tower, t, names.norm, CLIP_EPSILON);
  const logits = graph.addExact('MatMul', [last, graph.weight(weights.get(names.projection))]);
  return probabilityOfSecondClass(tower, inputs.plus === undefined ? logits : graph.add('Add', [logits, inputs.plus]));
}

interface NormedSum {
  readonly sum: Value;
  readonly normed: Value;
}

/** t + self_attn(ln_1 t), and ln_2 of it; of row 0 alone where nothing later needs the other rows. */
function selfAttentionStep(tower: Tower, t: Value, block: string, heads: number, firstRowOnly: boolean): NormedSum {
  const normed = layerNorm(tower, t, `${block}.ln_1`, CLIP_EPSILON);
  const attended = selfAttention(tower, normed, torchAttention(tower.weights, `${block}.self_attn`), {
    heads,
    firstRowOnly,
  });
  return addAndNorm(
    tower,
    {
      x: linearWithoutBias(tower, attended, `${block}.self_attn.out_proj`),
      skip: firstRowOnly ? firstRow(tower, t) : t,
      bias: tower.weights.get(`${block}.self_attn.out_proj.bias`),
    },
    `${block}.ln_2`,
    CLIP_EPSILON,
    true,
  );
}

/** t + cross-attention's output projection, then + mlp(ln_4 of it). */
function mlpStep(tower: Tower, t: Value, attended: Value, block: string): Value {
  const { graph, weights } = tower;
  const middle = addAndNorm(
    tower,
    {
      x: linearWithoutBias(tower, attended, `${block}.cross_attn.out_proj`),
      skip: t,
      bias: weights.get(`${block}.cross_attn.out_proj.bias`),
    },
    `${block}.ln_4`,
    CLIP_EPSILON,
    true,
  );
  const mlp = addBias(
    tower,
    quickGeluMlp(tower, middle.normed, `${block}.mlp.c_fc`, `${block}.mlp.c_proj`),
    weights.get(`${block}.mlp.c_proj.bias`),
  );
  return graph.add('Add', [mlp, middle.sum]);
}
