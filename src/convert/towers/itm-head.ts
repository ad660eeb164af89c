import type { Value } from '../onnx/graph.ts';
import { transposed } from '../weights.ts';
import { attendToProjected, projectKeysAndValues, splitAttention } from './attention.ts';
import { bertAttentionOutput, bertMlp, bertSelfAttention, bertStates } from './bert.ts';
import { type TokenShape, tokensInput } from './image-tokens.ts';
import { addBias, linear, probabilityOfSecondClass, type Tower } from './layers.ts';
import { attendToRows, projectQueries } from './projected-attention.ts';

export interface ItmOptions {
  readonly tokens: TokenShape;
  readonly tokenForm: 'stored' | 'float32';
  readonly text: { readonly layers: number; readonly contextLength: number };
  /** Of the text tower and of both joint stacks. */
  readonly heads: number;
  readonly textJointLayers: number;
  readonly imageJointLayers: number;
}

/** What both stacks are given of the texts [T, L, W] and of the pairs. */
interface PairInputs {
  readonly text: Value;
  readonly textMask: Value;
  readonly pairMask: Value;
  /** Image tokens [P, N, V] as the image tower's last block gave them. */
  readonly rows: Value;
  /** Rows of a value [T, ...] repeated for the pairs of each text. */
  readonly perPair: (value: Value) => Value;
}

/**
 * R2D2's image-text matching: two stacks of layers norm(x + self_attention), norm(x + cross_attention),
 * norm(x + mlp) that look at each other's tower and never at each other. `itm_text` is read off the stack that carries
 * the text, `itm_image` off the one that carries the picture; both off their first row, which is all that the last
 * layers compute. The text tower runs in here, since the picture's stack attends to all of its states.
 *
 * What depends on the text alone is done once a text and then repeated for its pairs.
 */
export function addItmGraph(tower: Tower, options: ItmOptions): void {
  const { graph } = tower;
  const ids = graph.input('input_ids', 'int64', ['T', 'L']);
  const textMask = graph.input('attention_mask', 'int32', ['T', 'L']);
  const pairText = graph.input('pair_text', 'int64', ['P']);
  const perPair = (value: Value): Value => graph.add('Gather', [value, pairText], { axis: 0 });
  const inputs: PairInputs = {
    text: bertStates(tower, ids, textMask, {
      ...options.text,
      name: 'text_encoder',
      heads: options.heads,
      firstRowOnly: false,
    }),
    textMask,
    pairMask: perPair(textMask),
    rows: tokensInput(graph, options.tokens, options.tokenForm),
    perPair,
  };
  outputMatch(tower, textStack(tower, inputs, options), 'itm_head', 'itm_text');
  outputMatch(tower, imageStack(tower, inputs, options), 'itm_head_i', 'itm_image');
}

/** The text's states through layers that attend to the picture: [P, 1, W]. */
function textStack(tower: Tower, inputs: PairInputs, { heads, textJointLayers: layers }: ItmOptions): Value {
  const { weights } = tower;
  let x = inputs.text;
  for (let layer = 0; layer < layers; layer++) {
    const block = `text_joint_layer.encoder.layer.${layer}`;
    const firstRowOnly = layer === layers - 1;
    const keyPadding = layer === 0 ? inputs.textMask : inputs.pairMask;
    x = bertSelfAttention(tower, x, block, { heads, firstRowOnly, keyPadding });
    // A picture has far more rows than a text; a bias of the keys would cancel in the softmax.
    const cross = `${block}.crossattention.self`;
    const key = weights.get(`${cross}.key.weight`);
    let queries = projectQueries(tower, linear(tower, x, `${cross}.query`), key, heads);
    if (layer === 0) [x, queries] = [inputs.perPair(x), inputs.perPair(queries)];
    const value = weights.get(`${cross}.value.weight`);
    const attended = attendToRows(tower, queries, inputs.rows, {
      value,
      bias: weights.get(`${cross}.value.bias`),
      heads,
    });
    x = bertMlp(tower, bertAttentionOutput(tower, attended, x, `${block}.crossattention`), block);
  }
  return x;
}

/** The picture's tokens through layers that attend to the text: [P, 1, W]. */
function imageStack(tower: Tower, inputs: PairInputs, { heads, imageJointLayers: layers }: ItmOptions): Value {
  let x = linear(tower, inputs.rows, 'img_joint_proj');
  for (let layer = 0; layer < layers; layer++) {
    const block = `img_joint_layer.encoder.layer.${layer}`;
    x = bertSelfAttention(tower, x, block, { heads, firstRowOnly: layer === layers - 1 });
    const cross = splitAttention(tower.weights, `${block}.crossattention.self`);
    const [key, value] = projectKeysAndValues(tower, inputs.text, cross);
    const projected = { key: inputs.perPair(key), value: inputs.perPair(value) };
    const attended = attendToProjected(tower, x, projected, cross, { heads, keyPadding: inputs.pairMask });
    x = bertMlp(tower, bertAttentionOutput(tower, attended, x, `${block}.crossattention`), block);
  }
  return x;
}

/** The probability of "match" as an output [P]; two classes are too few to be worth fewer bits. */
function outputMatch(tower: Tower, state: Value, head: string, signal: string): void {
  const { graph, weights } = tower;
  const product = graph.addExact('MatMul', [state, graph.weight(transposed(weights.get(`${head}.weight`)))]);
  const logits = addBias(tower, product, weights.get(`${head}.bias`));
  graph.output(probabilityOfSecondClass(tower, logits), signal, 'float32', ['P']);
}
