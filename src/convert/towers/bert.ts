import type { Value } from '../onnx/graph.ts';
import type { Weight, WeightSource } from '../weights.ts';
import { selfAttention, splitAttention } from './attention.ts';
import {
  addAndNorm,
  firstRow,
  l2Normalised,
  layerNorm,
  linearWithoutBias,
  lookUp,
  matmul,
  type Tower,
} from './layers.ts';

const BERT_EPSILON = 1e-12;

export interface BertOptions {
  readonly layers: number;
  readonly heads: number;
  readonly contextLength: number;
  readonly embeddingDim: number;
}

/**
 * BERT with layer norm after each addition and exact (erf) GELU; the embedding is the hidden state of [CLS] times
 * `text_projection`, normalised. Only that state is computed in the last layer.
 */
export function addTextGraph(tower: Tower, { layers, heads, contextLength, embeddingDim }: BertOptions): void {
  const { graph, weights } = tower;
  const ids = graph.input('input_ids', 'int64', ['B', 'S']);
  const keyPadding = graph.input('attention_mask', 'int32', ['B', 'S']);
  let hidden = bertEmbeddings(tower, ids, 'bert.embeddings', contextLength);
  for (let layer = 0; layer < layers; layer++) {
    const name = `bert.encoder.layer.${layer}`;
    const firstRowOnly = layer === layers - 1;
    const attended = selfAttention(tower, hidden, splitAttention(weights, `${name}.attention.self`), {
      heads,
      firstRowOnly,
      keyPadding,
    });
    const attention = {
      x: linearWithoutBias(tower, attended, `${name}.attention.output.dense`),
      skip: firstRowOnly ? firstRow(tower, hidden) : hidden,
      bias: weights.get(`${name}.attention.output.dense.bias`),
    };
    const middle = addAndNorm(tower, attention, `${name}.attention.output.LayerNorm`, BERT_EPSILON, false).normed;
    const mlp = {
      x: geluMlp(tower, middle, name),
      skip: middle,
      bias: weights.get(`${name}.output.dense.bias`),
    };
    hidden = addAndNorm(tower, mlp, `${name}.output.LayerNorm`, BERT_EPSILON, false).normed;
  }
  const projected = matmul(tower, hidden, weights.get('text_projection'));
  const embedding = graph.add('Reshape', [projected, graph.int64s([-1, embeddingDim])]);
  graph.output(l2Normalised(tower, embedding), 'embedding', 'float32', ['B', embeddingDim]);
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

function geluMlp(tower: Tower, x: Value, name: string): Value {
  const { graph, weights } = tower;
  const into = linearWithoutBias(tower, x, `${name}.intermediate.dense`);
  const hidden = graph.add('BiasGelu', [into, graph.weight(weights.get(`${name}.intermediate.dense.bias`))]);
  return linearWithoutBias(tower, hidden, `${name}.output.dense`);
}
