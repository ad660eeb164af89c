import type { BundleGraph } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import { encodePort, type Port } from '../onnx/graph.ts';
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from '../onnx/onnx-proto.ts';
import { ATTRIBUTE_TYPE, DATA_TYPE } from '../onnx/onnx-proto.ts';

const UNIQUE_IDS = 'unique_input_ids';
const PAIR_TEXT = 'pair_text';
const COLUMN_AXIS = 'score_column_axis';

/** How the exported graph finds the text of a pair. */
export type TextSharing =
  /** Pairs with equal ids share one text, so that what depends on the text alone is done once a query. */
  | 'unique'
  /** Every pair has a text of its own: no shape depends on the data, as compilers of static plans want it. */
  | 'per_pair';

export interface PairsGraph {
  readonly model: OnnxModel;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/**
 * A bundle's rerank graph with pairs as its only batch dimension, so that a server may lay requests behind each other
 * and cut the answer apart again:
 *
 *   input_ids i64 [P, L], tokens_int8 i8 [P, N, W], token_scale f32 [P, N] → one f32 [P, 1] per signal
 */
export function withPairsOnly(model: OnnxModel, described: BundleGraph, sharing: TextSharing): PairsGraph {
  const inputs = described.inputs.filter(({ name }) => name !== PAIR_TEXT).map(overPairs);
  const outputs = described.outputs.map(({ name }): Port => ({ name, type: 'float32', shape: ['P', 1] }));
  const { graph } = model;
  const renamed = new Map([
    ...(sharing === 'unique' ? [['input_ids', UNIQUE_IDS] as const] : []),
    ...outputs.map(({ name }) => [name, flatName(name)] as const),
  ]);
  const pairs: OnnxGraph = {
    ...graph,
    input: inputs.map(encodePort),
    output: outputs.map(encodePort),
    node: [
      ...(sharing === 'unique' ? [uniqueTexts()] : countedPairs()),
      ...graph.node.map((node) => renameValues(node, renamed)),
      ...outputs.map(({ name }) => node('Unsqueeze', [flatName(name), COLUMN_AXIS], [name])),
    ],
    initializer: [
      ...graph.initializer,
      int64s(COLUMN_AXIS, [1], [-1n]),
      ...(sharing === 'unique' ? [] : countLimits()),
    ],
  };
  return { model: { ...model, graph: pairs }, inputs, outputs };
}

const flatName = (signal: string): string => `${signal}_flat`;

/** The rows of input_ids without repetitions, and for every pair the row that its text became. */
function uniqueTexts(): OnnxNode {
  const axis = { name: 'axis', type: ATTRIBUTE_TYPE.int, i: 0 };
  return { ...node('Unique', ['input_ids'], [UNIQUE_IDS, '', PAIR_TEXT]), attribute: [axis] };
}

/** pair_text = 0, 1, 2, …, P - 1 */
function countedPairs(): OnnxNode[] {
  const first = { name: 'start', type: ATTRIBUTE_TYPE.int, i: 0 };
  const last = { name: 'end', type: ATTRIBUTE_TYPE.int, i: 1 };
  return [
    { ...node('Shape', ['input_ids'], ['pair_count_list']), attribute: [first, last] },
    node('Squeeze', ['pair_count_list'], ['pair_count']),
    node('Range', ['count_start', 'pair_count', 'count_step'], [PAIR_TEXT]),
  ];
}

function countLimits(): OnnxTensor[] {
  return [int64s('count_start', [], [0n]), int64s('count_step', [], [1n])];
}

function node(opType: string, input: readonly string[], output: readonly string[]): OnnxNode {
  const name = `pairs_${opType}_${output[0]}`;
  return { name, opType, input, output, attribute: [] };
}

function int64s(name: string, dims: readonly number[], values: readonly bigint[]): OnnxTensor {
  const rawData = new Uint8Array(BigInt64Array.from(values).buffer);
  return { name, dims, dataType: DATA_TYPE.int64, rawData };
}

function renameValues(node: OnnxNode, renamed: ReadonlyMap<string, string>): OnnxNode {
  const rename = (name: string): string => renamed.get(name) ?? name;
  return { ...node, input: node.input.map(rename), output: node.output.map(rename) };
}

function overPairs({ name, type, shape }: BundleGraph['inputs'][number]): Port {
  if (!(type in DATA_TYPE)) throw failure('invalid_bundle', `The rerank graph's input ${name} is of type ${type}.`);
  return { name, type: type as Port['type'], shape: ['P', ...shape.slice(1)] };
}
