import type { Value } from '../onnx/graph.ts';
import { DATA_TYPE } from '../onnx/onnx-proto.ts';
import { named } from '../weights.ts';
import { bertEmbeddings, bertStates } from './bert.ts';
import { normalisedMemory } from './image-attention.ts';
import { type DecoderNames, type DecoderShape, judgePairs } from './image-decoder.ts';
import { type TokenShape, tokensInput } from './image-tokens.ts';
import type { Tower } from './layers.ts';

const SEMANTIC: DecoderNames = {
  blocks: 'ocr_semantic_decoder.resblocks',
  norm: 'ln_ocr_semantic',
  projection: 'proj_ocr_semantic',
};
const MATCHING: DecoderNames = { blocks: 'itm_decoder.resblocks', norm: 'ln_itm', projection: 'proj_itm' };

export interface UniclipRerankOptions {
  readonly width: number;
  readonly heads: number;
  readonly contextLength: number;
  readonly tokens: TokenShape;
  readonly tokenForm: 'stored' | 'float32';
  /** Does the text mean what is written on the cover? */
  readonly semantic: { readonly layers: number } | null;
  /** Does the cover match the text? It reads the text tower's states, so that the tower runs in here. */
  readonly matching: { readonly layers: number; readonly text: TextTower } | null;
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
 * to `contextLength` and attend to the padding, as in training.
 */
export function addRerankGraph(tower: Tower, options: UniclipRerankOptions): void {
  const { graph } = tower;
  const { width, heads, contextLength, semantic, matching } = options;
  const ids = graph.input('input_ids', 'int64', ['T', contextLength]);
  const pairText = graph.input('pair_text', 'int64', ['P']);
  const memory = normalisedMemory(tower, tokensInput(graph, options.tokens, options.tokenForm), width);
  const perPair = (value: Value): Value => graph.add('Gather', [value, pairText], { axis: 0 });
  const shape = { width, heads, tokenCount: options.tokens.count };

  const judge = (signal: string, names: DecoderNames, text: Value, rows: number, layers: number): void => {
    const stack: DecoderShape = { ...shape, layers };
    graph.output(judgePairs(tower, { text, rows, memory, perPair }, names, stack), signal, 'float32', ['P']);
  };
  if (semantic !== null) {
    judge('ocr_semantic', SEMANTIC, classTokenAndWords(tower, ids, options), contextLength + 1, semantic.layers);
  }
  if (matching !== null) {
    judge('itm', MATCHING, textTowerStates(tower, ids, matching.text), contextLength, matching.layers);
  }
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
