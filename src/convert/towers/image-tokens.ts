import type { GraphBuilder, Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';

/**
 * Image tokens on their way out of the image graph and into the rerank graphs. They are stored as whole numbers of a
 * scale that every token has for itself, in int8, and behind them in further bits what the rounding lost: in 2 or 4 of
 * them, packed into bytes, or in 8. A model that normalises its tokens first needs fewer than one that takes them as they
 * are.
 */
export const TOKEN_BITS = [8, 10, 12, 16] as const;
export type TokenBits = (typeof TOKEN_BITS)[number];

export interface TokenShape {
  /** Image tokens that are stored of a cover: of every tower the class token's and those of the patches. */
  readonly count: number;
  /** Image towers whose tokens lie behind each other. */
  readonly towers: number;
  /** Patches along one side of the picture. */
  readonly grid: number;
  /** Patches along one side that are averaged into one token; 1 keeps them as they are. */
  readonly pool: number;
  readonly width: number;
  readonly bits: TokenBits;
}

/** Bits behind the first eight. */
type RemainderBits = 2 | 4 | 8;

const REMAINDER_STEPS = 254;
/** Packed levels are 0 to 255, and int8 begins at -128. */
const BYTE_OFFSET = 128;

/** int8 values of one stored token. */
export function storedWidth({ width, bits }: Pick<TokenShape, 'width' | 'bits'>): number {
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

/**
 * The image graph's outputs `tokens` [B, N, W], `tokens_int8` [B, N, stored width] and `token_scale` [B, N], from what each
 * tower made of the picture.
 */
export function outputTokens(graph: GraphBuilder, ofTowers: readonly Value[], shape: TokenShape): void {
  const { count, width, bits, pool } = shape;
  const [first = '', ...others] = pool === 1 ? ofTowers : ofTowers.map((tokens) => pooled(graph, tokens, shape));
  const tokens = others.length === 0 ? first : graph.add('Concat', [first, ...others], { axis: 1 });
  const largest = graph.add('ReduceMax', [graph.add('Abs', [tokens]), graph.int64s([-1])], { keepdims: 1 });
  // A row of zeros needs a scale that can be divided by.
  const guarded = graph.add('Max', [largest, graph.floats('least_token_magnitude', [], [1e-12])]);
  const scale = graph.add('Div', [guarded, graph.floats('int8_max', [], [127])]);
  const scaled = graph.add('Div', [tokens, scale]);
  const rounded = graph.add('Round', [scaled]);
  const whole = bits === 8 ? rounded : withRest(graph, scaled, rounded, (bits - 8) as RemainderBits);
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

function withRest(graph: GraphBuilder, scaled: Value, rounded: Value, bits: RemainderBits): Value {
  return graph.add('Concat', [rounded, remainder(graph, scaled, rounded, bits)], { axis: -1 });
}

/** What rounding took away, -0.5 to 0.5, as int8 values in float32. */
function remainder(graph: GraphBuilder, scaled: Value, rounded: Value, bits: RemainderBits): Value {
  const rest = graph.add('Sub', [scaled, rounded]);
  if (bits === 8) return graph.add('Round', [graph.add('Mul', [rest, constant(graph, REMAINDER_STEPS)])]);
  const levels = 2 ** bits;
  const level = graph.add('Floor', [
    graph.add('Mul', [graph.add('Add', [rest, constant(graph, 0.5)]), constant(graph, levels)]),
  ]);
  // Exactly 0.5 would be one level too many.
  const bounded = graph.add('Min', [level, constant(graph, levels - 1)]);
  const [first = '', ...others] = splitEvenly(graph, bounded, 8 / bits);
  const packed = others.reduce(
    (sum, digit, place) => graph.add('Add', [sum, graph.add('Mul', [digit, constant(graph, levels ** (place + 1))])]),
    first,
  );
  return graph.add('Sub', [packed, constant(graph, BYTE_OFFSET)]);
}

/** A rerank graph's image tokens, [P, N, W] in float32: as they are stored, or as the image tower made them. */
export function tokensInput(graph: GraphBuilder, shape: TokenShape, form: 'stored' | 'float32'): Value {
  const { count, width, bits } = shape;
  if (form === 'float32') return graph.input('tokens', 'float32', ['P', count, width]);
  const values = graph.input('tokens_int8', 'int8', ['P', count, storedWidth(shape)]);
  const scale = graph.input('token_scale', 'float32', ['P', count]);
  const floats = graph.add('Cast', [values], { to: DATA_TYPE.float32 });
  const whole = bits === 8 ? floats : withRemainder(graph, floats, shape);
  return graph.add('Mul', [whole, graph.add('Unsqueeze', [scale, graph.int64s([-1])])]);
}

/** The tokens of each tower, from [P, N, W]. */
export function tokensByTower(graph: GraphBuilder, tokens: Value, { count, towers }: TokenShape): Value[] {
  if (towers === 1) return [tokens];
  const sizes = graph.int64s(new Array<number>(towers).fill(count / towers));
  return graph.addMany('Split', [tokens, sizes], new Array<boolean>(towers).fill(true), { axis: 1 });
}

function withRemainder(graph: GraphBuilder, floats: Value, { width, bits }: TokenShape): Value {
  const stored = [width, storedWidth({ width, bits }) - width];
  const [rounded = '', rest = ''] = graph.addMany('Split', [floats, graph.int64s(stored)], [true, true], { axis: -1 });
  return graph.add('Add', [rounded, remainderOf(graph, rest, (bits - 8) as RemainderBits)]);
}

/** The reverse of `remainder`. */
function remainderOf(graph: GraphBuilder, rest: Value, bits: RemainderBits): Value {
  if (bits === 8) return graph.add('Div', [rest, constant(graph, REMAINDER_STEPS)]);
  const levels = constant(graph, 2 ** bits);
  const digits: Value[] = [];
  let left = graph.add('Add', [rest, constant(graph, BYTE_OFFSET)]);
  for (let place = 0; place < 8 / bits; place++) {
    const higher = graph.add('Floor', [graph.add('Div', [left, levels])]);
    digits.push(graph.add('Sub', [left, graph.add('Mul', [higher, levels])]));
    left = higher;
  }
  // The middle of a level stands for all of it.
  const middle = graph.add('Add', [graph.add('Concat', digits, { axis: -1 }), constant(graph, 0.5)]);
  return graph.add('Sub', [graph.add('Div', [middle, levels]), constant(graph, 0.5)]);
}

function splitEvenly(graph: GraphBuilder, value: Value, parts: number): Value[] {
  return graph.addMany('Split', [value], new Array<boolean>(parts).fill(true), { axis: -1, num_outputs: parts });
}

function constant(graph: GraphBuilder, value: number): Value {
  return graph.floats(`token_constant_${value}`, [], [value]);
}
