import type { Value } from '../onnx/graph.ts';
import type { Weight, WeightSource } from '../weights.ts';
import { type SelfAttentionOptions, selfAttention, splitAttention } from './attention.ts';
import { addAndNorm, firstRow, layerNorm, linearWithoutBias, lookUp, type Tower } from './layers.ts';

const BERT_EPSILON = 1e-12;

export interface BertOptions {
  /** What the checkpoint puts before `.embeddings` and `.encoder`. */
  readonly name: string;
  readonly layers: number;
  readonly heads: number;
  readonly contextLength: number;
  /** True when the state of [CLS] alone is wanted: the last layer computes nothing else. */
  readonly firstRowOnly: boolean;
}

/** BERT: ids [B, S] and mask int32 [B, S] → [B, S, W], or [B, 1, W]. */
export function bertStates(tower: Tower, ids: Value, mask: Value, options: BertOptions): Value {
  const { name, layers, heads } = options;
  let hidden = bertEmbeddings(tower, ids, `${name}.embeddings`, options.contextLength);
  for (let layer = 0; layer < layers; layer++) {
    const firstRowOnly = options.firstRowOnly && layer === layers - 1;
    const block = `${name}.encoder.layer.${layer}`;
    const attended = bertSelfAttention(tower, hidden, block, { heads, firstRowOnly, keyPadding: mask });
    hidden = bertMlp(tower, attended, block);
  }
  return hidden;
}

/** norm(x + self_attention(x)); of row 0 alone when `firstRowOnly`. */
export function bertSelfAttention(tower: Tower, x: Value, block: string, options: SelfAttentionOptions): Value {
  const attended = selfAttention(tower, x, splitAttention(tower.weights, `${block}.attention.self`), options);
  return bertAttentionOutput(tower, attended, options.firstRowOnly ? firstRow(tower, x) : x, `${block}.attention`);
}

/** norm(skip + output projection of what was attended to). */
export function bertAttentionOutput(tower: Tower, attended: Value, skip: Value, name: string): Value {
  const terms = {
    x: linearWithoutBias(tower, attended, `${name}.output.dense`),
    skip,
    bias: tower.weights.get(`${name}.output.dense.bias`),
  };
  return addAndNorm(tower, terms, `${name}.output.LayerNorm`, BERT_EPSILON, false).normed;
}

/** norm(x + mlp(x)), with exact (erf) GELU. */
export function bertMlp(tower: Tower, x: Value, block: string): Value {
  const { graph, weights } = tower;
  const into = linearWithoutBias(tower, x, `${block}.intermediate.dense`);
  const hidden = graph.add('BiasGelu', [into, graph.weight(weights.get(`${block}.intermediate.dense.bias`))]);
  const terms = {
    x: linearWithoutBias(tower, hidden, `${block}.output.dense`),
    skip: x,
    bias: weights.get(`${block}.output.dense.bias`),
  };
  return addAndNorm(tower, terms, `${block}.output.LayerNorm`, BERT_EPSILON, false).normed;
}

/** Word + position + token type 0, normalised: ids [B, S] → [B, S, W], for S up to `contextLength`. */
export function bertEmbeddings(tower: Tower, ids: Value, name: string, contextLength: number): Value {
  const { graph, weights } = tower;
  const words = lookUp(tower, ids, weights.get(`${name}.word_embeddings.weight`));
  const table = graph.weight(positionTable(weights, name, contextLength));
  const length = graph.add('Shape', [ids], { start: 1, end: 2 });
  const positions = graph.add('Slice', [table, graph.int64s([0]), length, graph.int64s([0])]);
  return layerNorm(tower, graph.add('Add', [words, positions]), `${name}.LayerNorm`, BERT_EPSILON);
}

/** Position rows with token type 0 added to each: every text is of that type. */
function positionTable(weights: WeightSource, name: string, contextLength: number): Weight {
  const positions = weights.get(`${name}.position_embeddings.weight`).rows(0, contextLength);
  const type = weights.get(`${name}.token_type_embeddings.weight`).rows(0, 1);
  const read = async (): Promise<Float32Array> => {
    const table = await positions.read();
    const added = await type.read();
    return table.map((value, index) => value + (added[index % added.length] as number));
  };
  return { name: `${name}.positions_and_type`, shape: positions.shape, read };
}
