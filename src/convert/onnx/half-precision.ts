import { toHalf } from '../half-floats.ts';
import type { GraphContent, InitializerGroup, Value } from './graph.ts';
import { ATTRIBUTE_TYPE, DATA_TYPE, type OnnxNode } from './onnx-proto.ts';

/** Where nearly all of the work is: products, and what is done to each of their numbers. */
export const HALF_OPERATORS: ReadonlySet<string> = new Set([
  'AveragePool',
  'BiasGelu',
  'Conv',
  'FusedMatMul',
  'MatMul',
  'MultiHeadAttention',
  'QuickGelu',
  'Relu',
  'Softmax',
]);

/** They move numbers and compute none: their output is of the type of what they are given. */
const MOVING_OPERATORS: ReadonlySet<string> = new Set([
  'Concat',
  'Expand',
  'Gather',
  'Reshape',
  'Slice',
  'Split',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

type FloatType = 'float32' | 'float16';

/**
 * The same graph in mixed precision, as training under autocast has it: products, attention and activations in float16
 * on float16 weights; the sums that the blocks carry on, layer norms, and whatever leaves the graph in float32. Inputs
 * and outputs stay as they are. Weights beyond float16's range are refused when they are read.
 *
 * A processor without float16 operators runs it too: ONNX Runtime then computes in float32 with the rounded weights.
 */
export function withHalfPrecision(content: GraphContent): GraphContent {
  const groups = new Map(content.groups.map((group) => [group.initializers[0]?.name ?? '', group]));
  const written = new Map<string, InitializerGroup>();
  const types = new Map<Value, FloatType>();
  for (const { name, type } of content.inputs) if (type === 'float32') types.set(name, type);
  const nodes: OnnxNode[] = [];

  const isWeight = (value: Value): boolean => groups.get(value)?.initializers[0]?.type === 'float32';

  /** The name of `value` in the wanted type, if one is wanted; values of other than floating types stay as they are. */
  function inType(value: Value, type: FloatType | undefined): Value {
    const group = groups.get(value);
    if (group !== undefined) {
      const converted = isWeight(value) && type === 'float16' ? halfGroup(value, group) : group;
      written.set(converted.initializers[0]?.name ?? '', converted);
      return converted.initializers[0]?.name ?? '';
    }
    const known = types.get(value);
    return type === undefined || known === undefined || known === type ? value : cast(value, type);
  }

  function cast(value: Value, type: FloatType): Value {
    const name = `${value}.${type}`;
    if (!types.has(name)) {
      const to = { name: 'to', type: ATTRIBUTE_TYPE.int, i: DATA_TYPE[type] };
      nodes.push({ name: `${name}_node`, opType: 'Cast', domain: '', input: [value], output: [name], attribute: [to] });
      types.set(name, type);
    }
    return name;
  }

  /** The type that a node computes in; undefined where it is none of the two. */
  function typeOf({ opType, input, output }: OnnxNode): FloatType | undefined {
    const given = new Set(input.flatMap((value) => types.get(value) ?? []));
    if (opType === 'Shape' || (given.size === 0 && !input.some(isWeight))) return undefined;
    if (HALF_OPERATORS.has(opType)) return output.some((value) => content.exact.has(value)) ? 'float32' : 'float16';
    if (given.size === 0) return opType === 'Gather' ? 'float16' : 'float32';
    // A bias is added in the type of the product before it, a residual sum in the type that the blocks carry on.
    const keepsType = opType === 'Add' || MOVING_OPERATORS.has(opType);
    return keepsType && !given.has('float32') ? 'float16' : 'float32';
  }

  for (const node of content.nodes) {
    const type = typeOf(node);
    nodes.push({ ...node, input: node.input.map((value) => inType(value, type)) });
    const made = node.opType === 'Cast' ? castType(node) : type;
    if (made !== undefined) for (const value of node.output) types.set(value, made);
  }
  return { ...content, nodes, groups: [...written.values()] };
}

/** What a Cast makes, as far as it is a floating type. */
function castType({ attribute }: OnnxNode): FloatType | undefined {
  return attribute.some(({ i }) => i === DATA_TYPE.float32) ? 'float32' : undefined;
}

function halfGroup(name: string, group: InitializerGroup): InitializerGroup {
  return {
    initializers: group.initializers.map(({ shape }) => ({ name: `${name}.fp16`, type: 'float16', shape })),
    async load() {
      const [values] = await group.load();
      if (!(values instanceof Float32Array)) throw new TypeError(`${name} is no float32 weight`);
      return [toHalf(values, name)];
    },
  };
}
