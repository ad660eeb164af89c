import { type BertOptions, bertStates } from './bert.ts';
import { linear, matmul, outputEmbedding, type Tower } from './layers.ts';

export interface TextGraphOptions extends Omit<BertOptions, 'firstRowOnly'> {
  readonly embeddingDim: number;
  /** `matrix` is [W, D] and stands alone; `linear` is a layer with a bias. */
  readonly projection: { readonly kind: 'matrix' | 'linear'; readonly name: string };
}

/** BERT's state of [CLS], projected and normalised. */
export function addTextGraph(tower: Tower, options: TextGraphOptions): void {
  const { graph, weights } = tower;
  const ids = graph.input('input_ids', 'int64', ['B', 'S']);
  const mask = graph.input('attention_mask', 'int32', ['B', 'S']);
  const state = bertStates(tower, ids, mask, { ...options, firstRowOnly: true });
  const { kind, name } = options.projection;
  const projected = kind === 'linear' ? linear(tower, state, name) : matmul(tower, state, weights.get(name));
  outputEmbedding(tower, projected, options.embeddingDim);
}
