import type { Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';
import { named } from '../weights.ts';
import { bertEmbeddings, bertStates } from './bert.ts';
import { normalisedMemory } from './image-attention.ts';
import { type DecoderInputs, type DecoderNames, judgePairs } from './image-decoder.ts';
import { type TokenShape, tokensByTower, tokensInput } from './image-tokens.ts';
import { CLIP_EPSILON, firstRow, layerNorm, matmul, type Tower } from './layers.ts';
import { MATCHING_TOWER } from './uniclip-image.ts';

const SEMANTIC: DecoderNames = {
  blocks: 'ocr_semantic_decoder.resblocks',
  norm: 'ln_ocr_semantic',
  projection: 'proj_ocr_semantic',
};
const MATCHING: DecoderNames = { blocks: 'itm_decoder.resblocks', norm: 'ln_itm', projection: 'proj_itm' };

/** A row of zeros is divided by this. */
const LEAST_LENGTH = 1e-12;

export interface UniclipRerankOptions {
  readonly width: number;
  readonly heads: number;
  readonly contextLength: number;
  readonly tokens: TokenShape;
  readonly tokenForm: 'stored' | 'float32';
  /** Does the text mean what is written on the cover? */
  readonly semantic: { readonly layers: number } | null;
  /** Does the cover match the text? It reads the text tower's states, so that the tower runs in here. */
  readonly matching: MatchingHead | null;
}

export interface MatchingHead {
  readonly layers: number;
  readonly text: TextTower;
  /** True when it looks at the tokens of an image tower of its own, which lie behind those of the other one. */
  readonly hasTower: boolean;
}

export interface TextTower {
  readonly layers: number;
  readonly heads: number;
  /** Rows that its position table has in the bundle. */
  readonly contextLength: number;
}

/**
 * What judges a text with each of its pictures: UniCLIP's OCR semantic head, which UniCLIP's code runs, and an image-text
 * matching head of the same blocks over the text tower, which our own training adds. Both read the text padded with id 0
 * to `contextLength` and attend to the padding, as in training. A matching head with an image tower of its own adds that
 * tower's cosine to what its decoder finds.
 */
export function addRerankGraph(tower: Tower, options: UniclipRerankOptions): void {
  const { graph } = tower;
  const { width, heads, contextLength, semantic, matching } = options;
  const ids = graph.input('input_ids', 'int64', ['T', contextLength]);
  const pairText = graph.input('pair_text', 'int64', ['P']);
  const byTower = tokensByTower(graph, tokensInput(graph, options.tokens, options.tokenForm), options.tokens);
  const memories = byTower.map((tokens) => normalisedMemory(tower, tokens, width));
  const perPair = (value: Value): Value => graph.add('Gather', [value, pairText], { axis: 0 });
  const shape = { width, heads, tokenCount: options.tokens.count / options.tokens.towers };

  const judge = (signal: string, names: DecoderNames, layers: number, inputs: Omit<DecoderInputs, 'perPair'>): void => {
    const judged = judgePairs(tower, { ...inputs, perPair }, names, { ...shape, layers });
    graph.output(judged, signal, 'float32', ['P']);
  };
  if (semantic !== null) {
    const [memory = ''] = memories;
    const text = classTokenAndWords(tower, ids, options);
    judge('ocr_semantic', SEMANTIC, semantic.layers, { text, rows: contextLength + 1, memory });
  }
  if (matching !== null) {
    const [memory = '', tokens = ''] = [memories.at(-1), byTower.at(-1)];
    const text = textTowerStates(tower, ids, matching.text);
    const plus = matching.hasTower ? nearness(tower, perPair(textEmbedding(tower, text)), tokens) : undefined;
    judge('itm', MATCHING, matching.layers, { text, rows: contextLength, memory, plus });
  }
}

/** [T, L, W] → [T, 1, E], of length 1 */
function textEmbedding(tower: Tower, states: Value): Value {
  const projected = matmul(tower, firstRow(tower, states), tower.weights.get('text_projection'));
  return unitLength(tower, projected);
}

/**
 * The cosine of texts [P, 1, E] and of what the matching head's tower saw [P, N, W], scaled, for the logit of a match:
 * [P, 1, 2].
 */
function nearness(tower: Tower, texts: Value, tokens: Value): Value {
  const { graph, weights } = tower;
  const normed = layerNorm(tower, firstRow(tower, tokens), `${MATCHING_TOWER}.ln_post`, CLIP_EPSILON);
  const projected = matmul(tower, normed, weights.get(`${MATCHING_TOWER}.proj`));
  const product = graph.add('Mul', [texts, unitLength(tower, projected)]);
  const cosine = graph.add('ReduceSum', [product, graph.int64s([-1])], { keepdims: 1 });
  const scale = weights.get('itm_scale');
  const byClass = {
    name: 'itm_scale_by_class',
    shape: [2],
    read: async () => Float32Array.of(0, Math.exp((await scale.read())[0] as number)),
  };
  return graph.add('Mul', [cosine, graph.weight(byClass)]);
}

/** The class token before the text's embeddings: [T, L] → [T, 1 + L, W]. */
function classTokenAndWords(tower: Tower, ids: Value, { width, contextLength }: UniclipRerankOptions): Value {
  const { graph, weights } = tower;
  const words = bertEmbeddings(tower, ids, 'bert_embedding', contextLength);
  const classToken = named('decoder_class_embedding', weights.get('decoder_class_embedding'), [1, 1, width]);
  const texts = graph.add('Shape', [ids], { start: 0, end: 1 });
  const expandedShape = graph.add('Concat', [texts, graph.int64s([1, width])], { axis: 0 });
  return graph.add('Concat', [graph.add('Expand', [graph.weight(classToken), expandedShape]), words], { axis: 1 });
}

/** The states that the text tower gives to each id, padding included, which itself looks at none: [T, L] → [T, L, W]. */
function textTowerStates(tower: Tower, ids: Value, text: TextTower): Value {
  const { graph } = tower;
  const mask = graph.add('Cast', [graph.add('Min', [ids, graph.int64s([1])])], { to: DATA_TYPE.int32 });
  return bertStates(tower, ids, mask, { ...text, name: 'bert', firstRowOnly: false });
}

/**
 * LpNormalization in operators that a GPU has: in the middle of a graph it would send every run to the processor and
 * back.
 */
function unitLength({ graph }: Tower, x: Value): Value {
  const length = graph.add('ReduceL2', [x, graph.int64s([-1])], { keepdims: 1 });
  return graph.add('Div', [x, graph.add('Max', [length, graph.floats('least_length', [], [LEAST_LENGTH])])]);
}
