import type { Value } from '../onnx/graph.ts';
import { named, stacked, transposed, type Weight, type WeightSource } from '../weights.ts';
import { firstRow, matmul, type Tower } from './layers.ts';

/** Projections of one attention, each [W, W] as torch keeps them, and the three biases behind each other [3 * W]. */
export interface AttentionWeights {
  readonly name: string;
  readonly query: Weight;
  readonly key: Weight;
  readonly value: Weight;
  readonly bias: Weight;
}

/** torch.nn.MultiheadAttention: one matrix of query, key and value rows. */
export function torchAttention(weights: WeightSource, name: string): AttentionWeights {
  const projection = weights.get(`${name}.in_proj_weight`);
  const width = (projection.shape[0] ?? 0) / 3;
  return {
    name,
    query: named(`${name}.query`, projection.rows(0, width)),
    key: named(`${name}.key`, projection.rows(width, width)),
    value: named(`${name}.value`, projection.rows(2 * width, width)),
    bias: weights.get(`${name}.in_proj_bias`),
  };
}

/** Names of the three linear layers where query, key and value are apart. */
export interface SplitNames {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

const BERT_NAMES: SplitNames = { query: 'query', key: 'key', value: 'value' };

/** Three linear layers, as BERT has them. */
export function splitAttention(weights: WeightSource, name: string, names: SplitNames = BERT_NAMES): AttentionWeights {
  const part = (which: string, parameter: string): Weight => weights.get(`${name}.${which}.${parameter}`);
  const biases = [names.query, names.key, names.value].map((which) => part(which, 'bias'));
  return {
    name,
    query: part(names.query, 'weight'),
    key: part(names.key, 'weight'),
    value: part(names.value, 'weight'),
    bias: stacked(`${name}.bias`, biases),
  };
}

export interface SelfAttentionOptions {
  readonly heads: number;
  /** Attend from the first row alone: the answer is [B, 1, W]. */
  readonly firstRowOnly?: boolean;
  /** int32 [B, S], 0 where a position is padding. */
  readonly keyPadding?: Value;
}

/** Self-attention over x [B, S, W], without its output projection. */
export function selfAttention(tower: Tower, x: Value, from: AttentionWeights, options: SelfAttentionOptions): Value {
  const { graph } = tower;
  const [query = '', key = '', value = ''] = options.firstRowOnly
    ? [
        matmul(tower, firstRow(tower, x), transposed(from.query)),
        ...project(tower, x, `${from.name}.kv`, [from.key, from.value]),
      ]
    : project(tower, x, `${from.name}.qkv`, [from.query, from.key, from.value]);
  const inputs = [query, key, value, graph.weight(from.bias), options.keyPadding ?? ''];
  return graph.add('MultiHeadAttention', inputs, { num_heads: options.heads });
}

/** Keys and values of rows [X, K, V], each [X, K, W] without their biases, for `attendToProjected`. */
export function projectKeysAndValues(tower: Tower, rows: Value, from: AttentionWeights): readonly [Value, Value] {
  const [key = '', value = ''] = project(tower, rows, `${from.name}.kv`, [from.key, from.value]);
  return [key, value];
}

/** Attention of x [P, Q, W] to rows of another input, without its output projection. */
export function attendToProjected(
  tower: Tower,
  x: Value,
  rows: { readonly key: Value; readonly value: Value },
  from: AttentionWeights,
  options: Omit<SelfAttentionOptions, 'firstRowOnly'>,
): Value {
  const { graph } = tower;
  const query = matmul(tower, x, transposed(from.query));
  const inputs = [query, rows.key, rows.value, graph.weight(from.bias), options.keyPadding ?? ''];
  return graph.add('MultiHeadAttention', inputs, { num_heads: options.heads });
}

/** Several projections of one input as a single product: the input is read (and in int8 quantised) once. */
function project(tower: Tower, x: Value, name: string, projections: readonly Weight[]): Value[] {
  const joined = matmul(tower, x, transposed(stacked(name, projections)));
  return tower.graph.addMany(
    'Split',
    [joined],
    projections.map(() => true),
    { axis: -1, num_outputs: projections.length },
  );
}
