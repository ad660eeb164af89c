import { failure } from '../../core/errors.ts';
import { toHalf } from '../half-floats.ts';
import { MICROSOFT } from '../onnx/graph.ts';
import { HALF_OPERATORS } from '../onnx/half-precision.ts';
import {
  ATTRIBUTE_TYPE,
  DATA_TYPE,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../onnx/onnx-proto.ts';

/** Adds the nodes that stand for one fused operator; `add` answers the name of what it computes. */
interface Steps {
  add(opType: string, input: readonly string[], attribute?: readonly OnnxAttribute[]): string;
  /** The same under the fused operator's own name of its output. */
  addAs(output: string, opType: string, input: readonly string[], attribute?: readonly OnnxAttribute[]): void;
  /** A constant of the type that the operator computes in. */
  float(value: number): string;
  /** The value in that type. */
  asFloat(value: string): string;
  int64s(values: readonly number[]): string;
  /** Shape of a weight. */
  dims(name: string): readonly number[];
}

type Lowering = (node: OnnxNode, steps: Steps) => void;

const LOWERINGS: Readonly<Record<string, Lowering>> = {
  BiasGelu: lowerBiasGelu,
  FusedMatMul: lowerFusedMatMul,
  MultiHeadAttention: lowerAttention,
  QuickGelu: lowerQuickGelu,
  SkipLayerNormalization: lowerSkipNorm,
};

/** What ONNX Runtime adds to the scores of padding. */
const DEFAULT_MASK_VALUE = -10_000;
const QUICK_GELU_ALPHA = 1.702;

/**
 * The same graph without ONNX Runtime's own operators, for compilers that know the standard ones alone. `isHalf` says
 * that it is in mixed precision. Fails with `invalid_bundle` when the graph holds an operator that has no such form here.
 */
export function withStandardOperators(model: OnnxModel, isHalf: boolean): OnnxModel {
  const { graph } = model;
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const constants = new Map<string, OnnxTensor>();
  const nodes = graph.node.flatMap((node) => {
    if (node.domain !== MICROSOFT) return [node];
    const lower = LOWERINGS[node.opType];
    if (lower === undefined) {
      throw failure('invalid_bundle', `The rerank graph's ${node.opType} cannot be had in standard operators.`);
    }
    const lowered: OnnxNode[] = [];
    const type = isHalf && HALF_OPERATORS.has(node.opType) ? 'float16' : 'float32';
    lower(node, createSteps(node, { type, nodes: lowered, constants, weights }));
    return lowered;
  });
  return {
    ...model,
    opsetImport: (model['opsetImport'] as readonly { readonly domain: string }[]).filter(
      ({ domain }) => domain !== MICROSOFT,
    ),
    graph: { ...graph, node: nodes, initializer: [...graph.initializer, ...constants.values()] },
  };
}

interface Lowered {
  /** What the fused operator computes in. */
  readonly type: 'float32' | 'float16';
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, OnnxTensor>;
  readonly weights: ReadonlyMap<string, OnnxTensor>;
}

function createSteps(fused: OnnxNode, { type, nodes, constants, weights }: Lowered): Steps {
  const push = (
    output: string,
    opType: string,
    input: readonly string[],
    attribute: readonly OnnxAttribute[],
  ): void => {
    nodes.push({ name: `${fused.name}_${nodes.length}`, opType, input, output: [output], attribute });
  };
  const constant = (name: string, tensor: Omit<OnnxTensor, 'name'>): string => {
    constants.set(name, { name, ...tensor });
    return name;
  };
  const add: Steps['add'] = (opType, input, attribute = []) => {
    const output = `${fused.name}_${nodes.length}_value`;
    push(output, opType, input, attribute);
    return output;
  };
  return {
    add,
    addAs: (output, opType, input, attribute = []) => push(output, opType, input, attribute),
    float: (value) =>
      constant(`${type}_${value}`, {
        dims: [],
        dataType: DATA_TYPE[type],
        rawData: new Uint8Array(constantOf(type, value).buffer),
      }),
    asFloat: (value) => add('Cast', [value], [{ name: 'to', type: ATTRIBUTE_TYPE.int, i: DATA_TYPE[type] }]),
    int64s: (values) =>
      constant(`list_${values.join('_')}`, {
        dims: [values.length],
        dataType: DATA_TYPE.int64,
        rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
      }),
    dims: (name) => weights.get(name)?.dims ?? [],
  };
}

function constantOf(type: Lowered['type'], value: number): Float32Array | Uint16Array {
  const values = Float32Array.of(value);
  return type === 'float32' ? values : toHalf(values, String(value));
}

/** y = x + bias; y * (1 + erf(y / √2)) / 2 */
function lowerBiasGelu(
  { input: [x = '', bias = ''], output: [out = ''] }: OnnxNode,
  { add, addAs, float }: Steps,
): void {
  const sum = add('Add', [x, bias]);
  const erf = add('Erf', [add('Mul', [sum, float(Math.SQRT1_2)])]);
  const half = add('Mul', [sum, float(0.5)]);
  addAs(out, 'Mul', [half, add('Add', [erf, float(1)])]);
}

/** x * sigmoid(alpha * x) */
function lowerQuickGelu(
  { input: [x = ''], output: [out = ''], attribute }: OnnxNode,
  { add, addAs, float }: Steps,
): void {
  const alpha = attribute.find(({ name }) => name === 'alpha')?.f ?? QUICK_GELU_ALPHA;
  addAs(out, 'Mul', [x, add('Sigmoid', [add('Mul', [x, float(alpha)])])]);
}

/** sum = x + skip + bias, and its layer norm. */
function lowerSkipNorm({ input, output, attribute }: OnnxNode, { add, addAs }: Steps): void {
  const [x = '', skip = '', scale = '', shift = '', bias = ''] = input;
  const [normed = '', mean = '', deviation = '', sumName = ''] = output;
  if (mean !== '' || deviation !== '')
    throw failure('internal', 'SkipLayerNormalization with statistics is not known.');
  const terms = bias === '' ? [x, skip] : [add('Add', [x, bias]), skip];
  const sum = sumName || add('Add', terms);
  if (sumName !== '') addAs(sumName, 'Add', terms);
  const axis = { name: 'axis', type: ATTRIBUTE_TYPE.int, i: -1 };
  const epsilon = attribute.filter(({ name }) => name === 'epsilon');
  addAs(normed, 'LayerNormalization', [sum, scale, shift], [axis, ...epsilon]);
}

/** a @ bᵀ of matrices in batches: [B, M, K] and [B, N, K]. */
function lowerFusedMatMul({ input: [a = '', b = ''], output: [out = ''], attribute }: OnnxNode, steps: Steps): void {
  const { transB, alpha, ...others } = numbersOf(attribute);
  if (Object.values(others).some((value) => value !== 0)) {
    throw failure('invalid_bundle', 'The rerank graph transposes in a way that has no standard form here.');
  }
  const right = transB === 1 ? steps.add('Transpose', [b], [ints('perm', [0, 2, 1])]) : b;
  const left = alpha === undefined || alpha === 1 ? a : steps.add('Mul', [a, steps.float(alpha)]);
  steps.addAs(out, 'MatMul', [left, right]);
}

/** softmax(q kᵀ / √d + mask) v per head, with the biases of the three projections added first. */
function lowerAttention({ input, output: [out = ''], attribute }: OnnxNode, steps: Steps): void {
  const { add, addAs, float, asFloat, int64s } = steps;
  const [query = '', key = '', value = '', bias = '', padding = ''] = input;
  const { num_heads: heads = 0, mask_filter_value: maskValue = DEFAULT_MASK_VALUE } = numbersOf(attribute);
  const width = (steps.dims(bias)[0] ?? 0) / 3;
  if (width === 0 || heads === 0 || input.length > 5) {
    throw failure('invalid_bundle', "The rerank graph's MultiHeadAttention has no standard form here.");
  }
  const byHead = (x: string, part: number, perm: readonly number[]): string => {
    const own = add('Slice', [bias, int64s([part * width]), int64s([(part + 1) * width])]);
    const split = add('Reshape', [add('Add', [x, own]), int64s([0, 0, heads, width / heads])]);
    return add('Transpose', [split], [ints('perm', perm)]);
  };
  const scaled = add('Mul', [byHead(query, 0, [0, 2, 1, 3]), float((width / heads) ** -0.5)]);
  let scores = add('MatMul', [scaled, byHead(key, 1, [0, 2, 3, 1])]);
  if (padding !== '') {
    const isPadding = add('Sub', [float(1), asFloat(padding)]);
    const masked = add('Unsqueeze', [add('Mul', [isPadding, float(maskValue)]), int64s([1, 2])]);
    scores = add('Add', [scores, masked]);
  }
  const weights = add('Softmax', [scores], [{ name: 'axis', type: ATTRIBUTE_TYPE.int, i: -1 }]);
  const context = add('MatMul', [weights, byHead(value, 2, [0, 2, 1, 3])]);
  const byRow = add('Transpose', [context], [ints('perm', [0, 2, 1, 3])]);
  addAs(out, 'Reshape', [byRow, int64s([0, 0, width])]);
}

function numbersOf(attributes: readonly OnnxAttribute[]): Record<string, number> {
  return Object.fromEntries(attributes.map(({ name, i, f }) => [name, i ?? f ?? 0]));
}

function ints(name: string, values: readonly number[]): OnnxAttribute {
  return { name, type: ATTRIBUTE_TYPE.ints, ints: values };
}
