import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';
import type { GraphPrecision } from '../precision.ts';
import { quantisedMatrix, quantisedTable } from '../quantise.ts';
import { transposed, type Weight, type WeightSource } from '../weights.ts';

/** Where layers are added and where their weights come from. */
export interface Tower {
  readonly graph: GraphBuilder;
  readonly weights: WeightSource;
  readonly precision: GraphPrecision;
}

/** Layer norm epsilon of torch's default, which CLIP's blocks use. */
export const CLIP_EPSILON = 1e-5;

/** A row of zeros is divided by this. */
const LEAST_ROW_SCALE = 1e-30;
/** The uint8 that stands for 0; 127 steps up from it is 1. */
const UINT8_ZERO = 127;

/** x @ matrix + bias, matrix [in, out]. */
export function matmul(tower: Tower, x: Value, matrix: Weight, bias?: Weight): Value {
  const { graph, precision } = tower;
  const product = precision === 'int8' ? int8Product(graph, x, matrix) : graph.add('MatMul', [x, graph.weight(matrix)]);
  return bias === undefined ? product : addBias(tower, product, bias);
}

/**
 * x @ matrix in int8, each row of x with a scale of its own. A scale for all of x, which is what
 * DynamicQuantizeMatMul takes, would make a row's result depend on the rest of its batch.
 *
 * Rows are first divided by their largest magnitude; what is left lies in [-1, 1] and is quantised with one constant, so
 * that the integer product can be one fused operator.
 */
function int8Product(graph: GraphBuilder, x: Value, matrix: Weight): Value {
  const [values = '', scales = ''] = graph.initializers(`${matrix.name}.int8`, () => quantisedMatrix(matrix));
  const largest = graph.add('ReduceMax', [graph.add('Abs', [x]), graph.int64s([-1])], { keepdims: 1 });
  const rowScale = graph.add('Max', [largest, graph.floats('least_row_scale', [], [LEAST_ROW_SCALE])]);
  const step = graph.floats('uint8_step', [], [1 / UINT8_ZERO]);
  const zero = graph.uint8('uint8_zero', UINT8_ZERO);
  const rows = graph.add('QuantizeLinear', [graph.add('Div', [x, rowScale]), step, zero]);
  const product = graph.add('MatMulIntegerToFloat', [rows, values, step, scales, zero]);
  return graph.add('Mul', [product, rowScale]);
}

/** torch.nn.Linear: `<name>.weight` [out, in] and `<name>.bias` [out]. */
export function linear(tower: Tower, x: Value, name: string): Value {
  const { weights } = tower;
  return matmul(tower, x, transposed(weights.get(`${name}.weight`)), weights.get(`${name}.bias`));
}

/** For where the next operator takes the bias. */
export function linearWithoutBias(tower: Tower, x: Value, name: string): Value {
  return matmul(tower, x, transposed(tower.weights.get(`${name}.weight`)));
}

export function addBias({ graph }: Tower, x: Value, bias: Weight): Value {
  return graph.add('Add', [x, graph.weight(bias)]);
}

export function layerNorm({ graph, weights }: Tower, x: Value, name: string, epsilon: number): Value {
  const [scale, shift] = normParameters({ graph, weights }, name);
  return graph.add('LayerNormalization', [x, scale, shift], { axis: -1, epsilon: { float: epsilon } });
}

/**
 * sum = x + skip + bias, and its layer norm. Pre-norm blocks carry the sum on and want it, post-norm blocks do not: the fused
 * operator then makes none.
 */
export function addAndNorm(
  tower: Tower,
  terms: { readonly x: Value; readonly skip: Value; readonly bias: Weight },
  name: string,
  epsilon: number,
  wantSum: boolean,
): { readonly normed: Value; readonly sum: Value } {
  const { graph, weights, precision } = tower;
  const inputs = [terms.x, terms.skip];
  const bias = graph.weight(terms.bias);
  if (precision === 'int8') {
    // Such graphs run on processors alone, where the fused operator takes twice as long as both of these.
    const sum = graph.add('Sum', [...inputs, bias]);
    return { normed: layerNorm(tower, sum, name, epsilon), sum };
  }
  const [scale, shift] = normParameters({ graph, weights }, name);
  const [normed = '', , , sum = ''] = graph.addMany(
    'SkipLayerNormalization',
    [...inputs, scale, shift, bias],
    [true, false, false, wantSum],
    { epsilon: { float: epsilon } },
  );
  return { normed, sum };
}

/** The first row of every sequence: [B, S, W] → [B, 1, W]. */
export function firstRow({ graph }: Tower, x: Value): Value {
  return graph.add('Gather', [x, graph.int64s([0])], { axis: 1 });
}

/** The graph's `embedding` [B, D]: projected [B, 1, D], normalised to length 1. */
export function outputEmbedding({ graph }: Tower, projected: Value, embeddingDim: number): void {
  const embedding = graph.add('Reshape', [projected, graph.int64s([-1, embeddingDim])]);
  const normalised = graph.add('LpNormalization', [embedding], { axis: -1, p: 2 });
  graph.output(normalised, 'embedding', 'float32', ['B', embeddingDim]);
}

/** Softmax over the last dimension of [B, 1, 2] logits; the probability of class 1 as [B]. */
export function probabilityOfSecondClass({ graph }: Tower, logits: Value): Value {
  const probabilities = graph.addExact('Softmax', [logits], { axis: -1 });
  const second = graph.add('Gather', [probabilities, graph.int64s([1])], { axis: 2 });
  return graph.add('Reshape', [second, graph.int64s([-1])]);
}

/** Rows of an embedding table [rows, W] by id; in int8 with a scale per row. */
export function lookUp({ graph, precision }: Tower, ids: Value, table: Weight): Value {
  if (precision !== 'int8') return graph.add('Gather', [graph.weight(table), ids], { axis: 0 });
  const [values = '', scales = ''] = graph.initializers(`${table.name}.int8`, () => quantisedTable(table));
  const rows = graph.add('Cast', [graph.add('Gather', [values, ids], { axis: 0 })], { to: DATA_TYPE.float32 });
  return graph.add('Mul', [rows, graph.add('Gather', [scales, ids], { axis: 0 })]);
}

function normParameters({ graph, weights }: Pick<Tower, 'graph' | 'weights'>, name: string): [Value, Value] {
  return [graph.weight(weights.get(`${name}.weight`)), graph.weight(weights.get(`${name}.bias`))];
}
