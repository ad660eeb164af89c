import type { Value } from '../onnx/graph.ts';
import { named } from '../weights.ts';
import { selfAttention, torchAttention } from './attention.ts';
import { bertEmbeddings } from './bert.ts';
import { quickGeluMlp } from './encoder-blocks.ts';
import { attendToImage, imageQuery, normalisedMemory } from './image-attention.ts';
import { type TokenShape, tokensInput } from './image-tokens.ts';
import {
  addAndNorm,
  addBias,
  CLIP_EPSILON,
  firstRow,
  layerNorm,
  linearWithoutBias,
  probabilityOfSecondClass,
  type Tower,
} from './layers.ts';

export interface SemanticOptions {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly contextLength: number;
  readonly tokens: TokenShape;
  readonly tokenForm: 'stored' | 'float32';
}

/**
 * UniCLIP's OCR semantic head: does the text mean what is written on the cover? A class token and the text's
 * embeddings go through decoder blocks that attend to the image tokens:
 * t += self_attn(ln_1 t); t += cross_attn(ln_2 t, ln_2 memory, ln_3 memory); t += mlp(ln_4 t).
 * The text is padded with id 0 to `contextLength` and the padding is attended to, as in training.
 *
 * Everything before the first look at the image is done once a text and then repeated for its pairs.
 */
export function addRerankGraph(tower: Tower, options: SemanticOptions): void {
  const { graph, weights } = tower;
  const { layers, heads, contextLength } = options;
  const ids = graph.input('input_ids', 'int64', ['T', contextLength]);
  const pairText = graph.input('pair_text', 'int64', ['P']);
  const memory = normalisedMemory(tower, tokensInput(graph, options.tokens, options.tokenForm), options.width);
  const perPair = (value: Value): Value => graph.add('Gather', [value, pairText], { axis: 0 });

  let t = textSequence(tower, ids, options);
  for (let layer = 0; layer < layers; layer++) {
    const block = decoderName(layer);
    const isLast = layer === layers - 1;
    const shape = { ...options, tokenCount: options.tokens.count, queries: isLast ? 1 : contextLength + 1 };
    const step = selfAttentionStep(tower, t, block, heads, isLast);
    const query = imageQuery(tower, step.normed, block, shape);
    // The first layer's text side is the same for all pairs of a text.
    const [sum, asked] = layer === 0 ? [perPair(step.sum), perPair(query)] : [step.sum, query];
    t = mlpStep(tower, sum, attendToImage(tower, asked, memory, block, shape), block);
  }

  const last = layerNorm(tower, t, 'ln_ocr_semantic', CLIP_EPSILON);
  const logits = graph.addExact('MatMul', [last, graph.weight(weights.get('proj_ocr_semantic'))]);
  graph.output(probabilityOfSecondClass(tower, logits), 'ocr_semantic', 'float32', ['P']);
}

const decoderName = (layer: number): string => `ocr_semantic_decoder.resblocks.${layer}`;

/** The class token before the text's embeddings: [T, L] → [T, 1 + L, W]. */
function textSequence(tower: Tower, ids: Value, { width, contextLength }: SemanticOptions): Value {
  const { graph, weights } = tower;
  const words = bertEmbeddings(tower, ids, 'bert_embedding', contextLength);
  const classToken = named('decoder_class_embedding', weights.get('decoder_class_embedding'), [1, 1, width]);
  const texts = graph.add('Shape', [ids], { start: 0, end: 1 });
  const expandedShape = graph.add('Concat', [texts, graph.int64s([1, width])], { axis: 0 });
  return graph.add('Concat', [graph.add('Expand', [graph.weight(classToken), expandedShape]), words], { axis: 1 });
}

interface NormedSum {
  readonly sum: Value;
  readonly normed: Value;
}

/** t + self_attn(ln_1 t), and ln_2 of it; of row 0 alone where nothing later needs the other rows. */
function selfAttentionStep(tower: Tower, t: Value, block: string, heads: number, firstRowOnly: boolean): NormedSum {
  const normed = layerNorm(tower, t, `${block}.ln_1`, CLIP_EPSILON);
  const attended = selfAttention(tower, normed, torchAttention(tower.weights, `${block}.self_attn`), {
    heads,
    firstRowOnly,
  });
  return addAndNorm(
    tower,
    {
      x: linearWithoutBias(tower, attended, `${block}.self_attn.out_proj`),
      skip: firstRowOnly ? firstRow(tower, t) : t,
      bias: tower.weights.get(`${block}.self_attn.out_proj.bias`),
    },
    `${block}.ln_2`,
    CLIP_EPSILON,
    true,
  );
}

/** t + cross-attention's output projection, then + mlp(ln_4 of it). */
function mlpStep(tower: Tower, t: Value, attended: Value, block: string): Value {
  const { graph, weights } = tower;
  const middle = addAndNorm(
    tower,
    {
      x: linearWithoutBias(tower, attended, `${block}.cross_attn.out_proj`),
      skip: t,
      bias: weights.get(`${block}.cross_attn.out_proj.bias`),
    },
    `${block}.ln_4`,
    CLIP_EPSILON,
    true,
  );
  const mlp = addBias(
    tower,
    quickGeluMlp(tower, middle.normed, `${block}.mlp.c_fc`, `${block}.mlp.c_proj`),
    weights.get(`${block}.mlp.c_proj.bias`),
  );
  return graph.add('Add', [mlp, middle.sum]);
}
