import type { BundleGraph } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import { encodePort, type Port } from '../onnx/graph.ts';
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxTensor } from '../onnx/onnx-proto.ts';
import { ATTRIBUTE_TYPE, DATA_TYPE } from '../onnx/onnx-proto.ts';

const INPUT_IDS = 'input_ids';
const UNIQUE_IDS = 'unique_input_ids';
const PAIR_TEXT = 'pair_text';
const MASK = 'attention_mask';
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
 *
 * L is `contextLength`, so that requests fit together. Where the graph masks padding, the mask is worked out from the
 * ids, and the texts are cut to the longest of the batch.
 */
export function withPairsOnly(
  model: OnnxModel,
  described: BundleGraph,
  { sharing, contextLength }: { readonly sharing: TextSharing; readonly contextLength: number },
): PairsGraph {
  const masked = described.inputs.some(({ name }) => name === MASK);
  const inputs = described.inputs
    .filter(({ name }) => name !== PAIR_TEXT && name !== MASK)
    .map((input) => overPairs(input, contextLength));
  const outputs = described.outputs.map(({ name }): Port => ({ name, type: 'float32', shape: ['P', 1] }));
  const { graph } = model;
  const texts = sharing === 'unique' ? UNIQUE_IDS : INPUT_IDS;
  const mask = masked ? maskOf(texts, sharing) : undefined;
  const renamed = new Map([
    [INPUT_IDS, mask?.ids ?? texts],
    ...outputs.map(({ name }) => [name, flatName(name)] as const),
  ]);
  const pairs: OnnxGraph = {
    ...graph,
    input: inputs.map(encodePort),
    output: outputs.map(encodePort),
    node: [
      ...(sharing === 'unique' ? [uniqueTexts()] : countedPairs()),
      ...(mask?.nodes ?? []),
      ...graph.node.map((node) => renameValues(node, renamed)),
      ...outputs.map(({ name }) => node('Unsqueeze', [flatName(name), COLUMN_AXIS], [name])),
    ],
    initializer: [
      ...graph.initializer,
      int64s(COLUMN_AXIS, [1], [-1n]),
      ...(sharing === 'unique' ? [] : countLimits()),
      ...(mask?.constants ?? []),
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

/**
 * A text ends with [SEP], whose id is not that of padding: a position counts when any id from it on is not 0. Sharing
 * texts means shapes that depend on the data anyway; then the padding that all of them have is cut off as well.
 */
function maskOf(
  texts: string,
  sharing: TextSharing,
): { readonly ids: string; readonly nodes: OnnxNode[]; readonly constants: OnnxTensor[] } {
  const whole = sharing === 'unique' ? 'whole_mask' : MASK;
  const nodes = [
    node('Min', [texts, 'mask_one'], ['is_piece']),
    { ...node('CumSum', ['is_piece', 'mask_axis'], ['pieces_left']), attribute: [integer('reverse', 1)] },
    node('Min', ['pieces_left', 'mask_one'], ['is_text']),
    { ...node('Cast', ['is_text'], [whole]), attribute: [integer('to', DATA_TYPE.int32)] },
  ];
  const constants = [int64s('mask_one', [], [1n]), int64s('mask_axis', [], [1n])];
  if (sharing !== 'unique') return { ids: texts, nodes, constants };

  const cut = (from: string, to: string): OnnxNode =>
    node('Slice', [from, 'cut_start', 'longest_text', 'cut_axis'], [to]);
  const ids = 'cut_input_ids';
  return {
    ids,
    nodes: [
      ...nodes,
      { ...node('ReduceSum', ['is_text', 'cut_axis'], ['text_lengths']), attribute: [integer('keepdims', 0)] },
      node('ReduceMax', ['text_lengths', 'cut_start'], ['most_pieces']),
      // A server warms up with zeros: a text of none is taken for a text of one.
      node('Max', ['most_pieces', 'least_pieces'], ['longest_text']),
      cut(texts, ids),
      cut(whole, MASK),
    ],
    constants: [
      ...constants,
      int64s('cut_start', [1], [0n]),
      int64s('cut_axis', [1], [1n]),
      int64s('least_pieces', [1], [1n]),
    ],
  };
}

function integer(name: string, value: number): OnnxNode['attribute'][number] {
  return { name, type: ATTRIBUTE_TYPE.int, i: value };
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

/** Of the bundle's varying dimensions only the text's length is left behind the first one. */
function overPairs({ name, type, shape }: BundleGraph['inputs'][number], contextLength: number): Port {
  if (!(type in DATA_TYPE)) throw failure('invalid_bundle', `The rerank graph's input ${name} is of type ${type}.`);
  return {
    name,
    type: type as Port['type'],
    shape: ['P', ...shape.slice(1).map((size) => (size === 'L' ? contextLength : size))],
  };
}
