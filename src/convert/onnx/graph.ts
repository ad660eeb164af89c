import type { Weight } from '../weights.ts';
import { ATTRIBUTE_TYPE, DATA_TYPE, type ElementType, type OnnxAttribute, type OnnxNode } from './onnx-proto.ts';

/** Name of a tensor inside a graph. */
export type Value = string;

/** An input or output; a dimension is a number or the name of one that varies. */
export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

export type TensorData = Float32Array | Uint16Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** Initializers whose values come from one reading, such as a quantised matrix and its scales. */
export interface InitializerGroup {
  readonly initializers: readonly Initializer[];
  /** One array per initializer, in order. */
  load(): Promise<readonly TensorData[]>;
}

/** Integers are written as INT; a number that must be FLOAT although it may be whole is given as `{ float }`. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface GraphContent {
  readonly name: string;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodes: readonly OnnxNode[];
  /** Values that must be computed in float32, whatever the graph's precision. */
  readonly exact: ReadonlySet<Value>;
  readonly groups: readonly InitializerGroup[];
}

/** Operators of ONNX Runtime's own. */
export const MICROSOFT = 'com.microsoft';

/** ONNX Runtime's fused operators; every other operator is looked up in the standard domain. */
const FUSED = new Set([
  'BiasGelu',
  'FusedMatMul',
  'MatMulIntegerToFloat',
  'MultiHeadAttention',
  'QuickGelu',
  'SkipLayerNormalization',
]);

/** Collects the nodes and weights of one graph. Weights stay unread until the graph is written. */
export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #nodes: OnnxNode[] = [];
  readonly #exact = new Set<Value>();
  readonly #groups = new Map<string, InitializerGroup>();
  #values = 0;

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: ElementType, shape: readonly (number | string)[]): Value {
    this.#inputs.push({ name, type, shape });
    return name;
  }

  /** Makes `value` leave the graph under a name of its own. */
  output(value: Value, name: string, type: ElementType, shape: readonly (number | string)[]): void {
    this.#addNode('Identity', [value], [name], {});
    this.#outputs.push({ name, type, shape });
  }

  /** Adds a node with one output. An input that is left out is the empty string. */
  add(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const output = this.#newValue(operator);
    this.#addNode(operator, inputs, [output], attributes);
    return output;
  }

  /** The same for what loses too much in float16: probabilities, of which the best all come close to 1. */
  addExact(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const output = this.add(operator, inputs, attributes);
    this.#exact.add(output);
    return output;
  }

  /** Adds a node with several outputs; those that nobody wants are false in `wanted` and '' in the answer. */
  addMany(
    operator: string,
    inputs: readonly Value[],
    wanted: readonly boolean[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value[] {
    const outputs = wanted.map((want) => (want ? this.#newValue(operator) : ''));
    this.#addNode(operator, inputs, outputs, attributes);
    return outputs;
  }

  /** A float32 weight under its own name; the same name twice is the same initializer. */
  weight(weight: Weight): Value {
    return this.initializers(weight.name, () => ({
      initializers: [{ name: weight.name, type: 'float32', shape: weight.shape }],
      load: async () => [await weight.read()],
    }))[0] as Value;
  }

  /** Adds what `create` gives unless `key` is there already; answers the names. */
  initializers(key: string, create: () => InitializerGroup): Value[] {
    const group = this.#groups.get(key) ?? create();
    this.#groups.set(key, group);
    return group.initializers.map(({ name }) => name);
  }

  /** A one-dimensional int64 constant: axes, shapes, indices. */
  int64s(values: readonly number[]): Value {
    const name = `int64_${values.join('_').replaceAll('-', 'm')}`;
    return this.initializers(name, () => ({
      initializers: [{ name, type: 'int64', shape: [values.length] }],
      load: async () => [BigInt64Array.from(values, BigInt)],
    }))[0] as Value;
  }

  /** A float32 constant; a scalar when `shape` is empty. */
  floats(name: string, shape: readonly number[], values: readonly number[]): Value {
    return this.weight({ name, shape, read: async () => Float32Array.from(values) });
  }

  /** A uint8 constant: a zero point. */
  uint8(name: string, value: number): Value {
    return this.initializers(name, () => ({
      initializers: [{ name, type: 'uint8', shape: [] }],
      load: async () => [Uint8Array.of(value)],
    }))[0] as Value;
  }

  content(): GraphContent {
    return {
      name: this.#name,
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      exact: this.#exact,
      groups: [...this.#groups.values()],
    };
  }

  #newValue(operator: string): Value {
    return `${operator}_${this.#values++}`;
  }

  #addNode(
    operator: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>>,
  ): void {
    this.#nodes.push({
      name: `${operator}_${this.#nodes.length}_node`,
      opType: operator,
      domain: FUSED.has(operator) ? MICROSOFT : '',
      input: trimEnd(inputs),
      output: trimEnd(outputs),
      attribute: Object.entries(attributes).map(([name, value]) => encodeAttribute(name, value)),
    });
  }
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A port as a protobuf ValueInfoProto. */
export function encodePort({ name, type, shape }: Port): Record<string, unknown> {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: DATA_TYPE[type], shape: { dim } } } };
}

/** Trailing inputs and outputs that are left out must not be listed. */
function trimEnd(values: readonly Value[]): Value[] {
  const last = values.findLastIndex((value) => value !== '');
  return values.slice(0, last + 1);
}

function encodeAttribute(name: string, value: Attribute): OnnxAttribute {
  if (typeof value === 'string') return { name, type: ATTRIBUTE_TYPE.string, s: Buffer.from(value) };
  if (typeof value === 'number') return { name, type: ATTRIBUTE_TYPE.int, i: value };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] };
}
