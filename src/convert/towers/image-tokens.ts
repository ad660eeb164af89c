import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';

/**
 * Image tokens on their way out of the image graph and into the rerank graphs. They are stored as whole numbers of a
 * scale that every token has for itself: in 8 bits, or in 16 as two int8 of which the second is what the first rounded
 * away, in 1/254 of the scale. A model that normalises its tokens first does well with 8; one that takes them as they
 * are may need 16.
 */
export type TokenBits = 8 | 16;

export interface TokenShape {
  /** Image tokens that are stored of a cover: the class token's and those of the patches. */
  readonly count: number;
  /** Patches along one side of the picture. */
  readonly grid: number;
  /** Patches along one side that are averaged into one token; 1 keeps them as they are. */
  readonly pool: number;
  readonly width: number;
  readonly bits: TokenBits;
}

const REMAINDER_STEPS = 254;

/** int8 values of one stored token. */
export function storedWidth({ width, bits }: TokenShape): number {
  return (width * bits) / 8;
}

/** Bytes that the tokens of a cover take in the store. */
export function storedBytes(shape: TokenShape): number {
  return shape.count * (storedWidth(shape) + Float32Array.BYTES_PER_ELEMENT);
}

/** Tokens of a picture of `grid` x `grid` patches; those at the border may stand for fewer patches. */
export function tokenCount(grid: number, pool: number): number {
  return 1 + Math.ceil(grid / pool) ** 2;
}

/** The image graph's outputs `tokens` [B, N, W], `tokens_int8` [B, N, stored width] and `token_scale` [B, N]. */
export function outputTokens(graph: GraphBuilder, allTokens: Value, shape: TokenShape): void {
  const { count, width, bits, pool } = shape;
  const tokens = pool === 1 ? allTokens : pooled(graph, allTokens, shape);
  const largest = graph.add('ReduceMax', [graph.add('Abs', [tokens]), graph.int64s([-1])], { keepdims: 1 });
  // A row of zeros needs a scale that can be divided by.
  const guarded = graph.add('Max', [largest, graph.floats('least_token_magnitude', [], [1e-12])]);
  const scale = graph.add('Div', [guarded, graph.floats('int8_max', [], [127])]);
  const scaled = graph.add('Div', [tokens, scale]);
  const rounded = graph.add('Round', [scaled]);
  const whole = bits === 8 ? rounded : graph.add('Concat', [rounded, remainder(graph, scaled, rounded)], { axis: -1 });
  const quantised = graph.add('Cast', [whole], { to: DATA_TYPE.int8 });
  graph.output(tokens, 'tokens', 'float32', ['B', count, width]);
  graph.output(quantised, 'tokens_int8', 'int8', ['B', count, storedWidth(shape)]);
  graph.output(graph.add('Squeeze', [scale, graph.int64s([-1])]), 'token_scale', 'float32', ['B', count]);
}

/** The class token as it is, and means of pool x pool patches: [B, 1 + grid * grid, W] → [B, N, W]. */
function pooled(graph: GraphBuilder, tokens: Value, { grid, pool, width }: TokenShape): Value {
  const [classToken = '', patches = ''] = graph.addMany(
    'Split',
    [tokens, graph.int64s([1, grid * grid])],
    [true, true],
    { axis: 1 },
  );
  const channels = graph.add('Transpose', [patches], { perm: [0, 2, 1] });
  const map = graph.add('Reshape', [channels, graph.int64s([0, width, grid, grid])]);
  const means = graph.addExact('AveragePool', [map], {
    kernel_shape: [pool, pool],
    strides: [pool, pool],
    ceil_mode: 1,
    count_include_pad: 0,
  });
  const rows = graph.add('Reshape', [means, graph.int64s([0, width, -1])]);
  return graph.add('Concat', [classToken, graph.add('Transpose', [rows], { perm: [0, 2, 1] })], { axis: 1 });
}

function remainder(graph: GraphBuilder, scaled: Value, rounded: Value): Value {
  const steps = graph.floats('remainder_steps', [], [REMAINDER_STEPS]);
  return graph.add('Round', [graph.add('Mul', [graph.add('Sub', [scaled, rounded]), steps])]);
}

/** A rerank graph's image tokens, [P, N, W] in float32: as they are stored, or as the image tower made them. */
export function tokensInput(graph: GraphBuilder, shape: TokenShape, form: 'stored' | 'float32'): Value {
  const { count, width, bits } = shape;
  if (form === 'float32') return graph.input('tokens', 'float32', ['P', count, width]);
  const values = graph.input('tokens_int8', 'int8', ['P', count, storedWidth(shape)]);
  const scale = graph.input('token_scale', 'float32', ['P', count]);
  const floats = graph.add('Cast', [values], { to: DATA_TYPE.float32 });
  const whole = bits === 8 ? floats : withRemainder(graph, floats);
  return graph.add('Mul', [whole, graph.add('Unsqueeze', [scale, graph.int64s([-1])])]);
}

function withRemainder(graph: GraphBuilder, floats: Value): Value {
  const [rounded = '', rest = ''] = graph.addMany('Split', [floats], [true, true], { axis: -1, num_outputs: 2 });
  return graph.add('Add', [rounded, graph.add('Div', [rest, graph.floats('remainder_steps', [], [REMAINDER_STEPS])])]);
}
