import type { Value } from '../onnx/graph.ts';
import type { GraphPrecision } from '../precision.ts';
import { named, transposed, type Weight, type WeightSource } from '../weights.ts';
import { torchAttention } from './attention.ts';
import { CLIP_EPSILON, matmul, type Tower } from './layers.ts';
import { attendToRows, projectQueries } from './projected-attention.ts';

/**
 * Attention from a text to the image tokens: query ln_2(t), key ln_2(memory), value ln_3(memory).
 *
 * The two norms of the memory differ in gain and shift alone, which are folded into the projections behind them: all
 * layers share one normalised memory. A shift of the keys adds the same to all scores of a query, which the softmax
 * takes out again, so keys have no bias; a shift of the values passes through as it is.
 *
 * Projecting N tokens to keys and values is most of a reranker's work. Projecting the queries instead pays where there
 * are few of them: always in the last layer, which has one.
 */
export interface ImageAttentionShape {
  readonly width: number;
  readonly heads: number;
  readonly tokenCount: number;
  /** Rows of the text that ask. */
  readonly queries: number;
}

/** How many float multiplications cost what one of the int8 product's costs, by measurement at B/16. */
const INT8_SPEEDUP = 3;

/** [P, N, W] normalised per token, without gain and shift. */
export function normalisedMemory({ graph }: Tower, tokens: Value, width: number): Value {
  const gain = graph.floats('unit_gain', [width], new Array<number>(width).fill(1));
  return graph.add('LayerNormalization', [tokens, gain], { axis: -1, epsilon: { float: CLIP_EPSILON } });
}

/** The part that depends on the text alone: t [X, Q, W] → what `attendToImage` wants, first dimension X. */
export function imageQuery(tower: Tower, normed: Value, block: string, shape: ImageAttentionShape): Value {
  const { weights, precision } = tower;
  const from = torchAttention(weights, `${block}.cross_attn`);
  const matrix = transposed(from.query);
  // MultiHeadAttention adds the bias itself.
  if (!projectsQueries(shape, precision)) return matmul(tower, normed, matrix);

  const query = matmul(tower, normed, matrix, projectionBias(weights, block, shape.width, 0));
  const key = scaledColumns(foldedName(block, 'key'), from.key, weights.get(`${block}.ln_2.weight`));
  return projectQueries(tower, query, key, shape.heads);
}

/** [P, Q, W]: the attention of each pair's query over its image, without the output projection. */
export function attendToImage(
  tower: Tower,
  query: Value,
  memory: Value,
  block: string,
  shape: ImageAttentionShape,
): Value {
  const { graph, weights, precision } = tower;
  const { width, heads } = shape;
  const from = torchAttention(weights, `${block}.cross_attn`);
  const value = scaledColumns(foldedName(block, 'value'), from.value, weights.get(`${block}.ln_3.weight`));
  if (projectsQueries(shape, precision)) {
    return attendToRows(tower, query, memory, { value, bias: valueBias(weights, block, width), heads });
  }
  const key = scaledColumns(foldedName(block, 'key'), from.key, weights.get(`${block}.ln_2.weight`));
  const inputs = [query, matmul(tower, memory, transposed(key)), matmul(tower, memory, transposed(value))];
  const bias = graph.weight(jointBias(weights, block, width));
  return graph.add('MultiHeadAttention', [...inputs, bias], { num_heads: heads });
}

/** Multiplications per pair of both ways, without what they have in common. */
function projectsQueries(
  { width, tokenCount, heads, queries }: ImageAttentionShape,
  precision: GraphPrecision,
): boolean {
  const projectTokens =
    (tokenCount * width * width) / (precision === 'int8' ? INT8_SPEEDUP : 1) + queries * tokenCount * width;
  const projectQueries = queries * width * width + heads * queries * tokenCount * width;
  return projectQueries < projectTokens;
}

const foldedName = (block: string, part: string): string => `${block}.cross_attn.folded_${part}`;

/** weight[i][j] * gain[j] */
function scaledColumns(name: string, weight: Weight, gain: Weight): Weight {
  const read = async (): Promise<Float32Array> => {
    const values = await weight.read();
    const gains = await gain.read();
    return values.map((value, index) => value * (gains[index % gains.length] as number));
  };
  return { name, shape: weight.shape, read };
}

/** Bias of the query (part 0), key (1) or value (2) projection as it is stored. */
function projectionBias(weights: WeightSource, block: string, width: number, part: number): Weight {
  const bias = weights.get(`${block}.cross_attn.in_proj_bias`).rows(part * width, width);
  return named(`${block}.cross_attn.bias_${part}`, bias);
}

/** The value projection's bias and what ln_3's shift becomes behind it: b + V shift. */
function valueBias(weights: WeightSource, block: string, width: number): Weight {
  const { value } = torchAttention(weights, `${block}.cross_attn`);
  const stored = projectionBias(weights, block, width, 2);
  const read = async (): Promise<Float32Array> => {
    const bias = await stored.read();
    const matrix = await value.read();
    const shift = await weights.get(`${block}.ln_3.bias`).read();
    return bias.map((start, row) => {
      let sum = start;
      for (let column = 0; column < width; column++) {
        sum += (matrix[row * width + column] as number) * (shift[column] as number);
      }
      return sum;
    });
  };
  return { name: foldedName(block, 'value_bias'), shape: [width], read };
}

/** Biases of query, key and value behind each other, as MultiHeadAttention takes them; the keys have none. */
function jointBias(weights: WeightSource, block: string, width: number): Weight {
  const read = async (): Promise<Float32Array> => {
    const joint = new Float32Array(3 * width);
    joint.set(await projectionBias(weights, block, width, 0).read());
    joint.set(await valueBias(weights, block, width).read(), 2 * width);
    return joint;
  };
  return { name: foldedName(block, 'bias'), shape: [3 * width], read };
}
