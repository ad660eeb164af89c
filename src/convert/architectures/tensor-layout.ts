import { failure } from '../../core/errors.ts';
import type { BlockNames } from '../towers/encoder-blocks.ts';
import type { VitNames } from '../towers/vit.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import type { TextSizes } from './text-sizes.ts';
import type { VitSizes } from './vision-sizes.ts';

/** What became of the tensors of a checkpoint. */
export interface Mapping {
  readonly used: readonly string[];
  /** Known to be of no use when serving: pooler, temperature, position ids. */
  readonly dropped: readonly string[];
  /** Nothing that this architecture knows. */
  readonly unknown: readonly string[];
}

/** Shapes by name of the tensors that an architecture of certain sizes has. */
export type Expected = Map<string, readonly number[]>;

/** Compares the weights with what an architecture expects. Throws `invalid_checkpoint` on any lack. */
export function mapTensors(weights: CanonicalWeights, expected: Expected, ofNoUse: readonly RegExp[]): Mapping {
  const missing = [...expected.keys()].filter((name) => !weights.has(name));
  if (missing.length > 0) {
    const shown = missing.slice(0, 12).join(', ');
    throw failure(
      'invalid_checkpoint',
      `The checkpoint lacks ${missing.length} tensor(s): ${shown}${missing.length > 12 ? ', …' : ''}.`,
    );
  }
  for (const [name, shape] of expected) {
    const found = weights.shape(name);
    if (found.join() !== shape.join()) {
      throw failure(
        'invalid_checkpoint',
        `${name} has shape [${found.join(', ')}]; with the other weights it would be [${shape.join(', ')}].`,
      );
    }
  }
  const others = weights.names.filter((name) => !expected.has(name));
  const isOfNoUse = (name: string): boolean => ofNoUse.some((pattern) => pattern.test(name));
  return {
    used: [...expected.keys()],
    dropped: others.filter(isOfNoUse),
    unknown: others.filter((name) => !isOfNoUse(name)),
  };
}

/** The image tower up to the output of its last block. */
export function addVit(expected: Expected, names: VitNames, { width, patch, grid, layers, mlpWidth }: VitSizes): void {
  expected.set(names.patchEmbedding, [width, 3, patch, patch]);
  expected.set(names.classEmbedding, [width]);
  expected.set(names.positions, [grid * grid + 1, width]);
  addNorm(expected, names.firstNorm, width);
  for (let layer = 0; layer < layers; layer++) {
    addBlock(expected, `${names.blocks}.${layer}`, names.block, width, mlpWidth);
  }
}

export function addBlock(expected: Expected, prefix: string, names: BlockNames, width: number, mlpWidth: number): void {
  const attention = `${prefix}.${names.attention}`;
  if (names.projections === undefined) addStackedProjections(expected, attention, width);
  else {
    for (const part of Object.values(names.projections)) addLinear(expected, `${attention}.${part}`, width, width);
  }
  addLinear(expected, `${attention}.${names.outProjection}`, width, width);
  for (const norm of names.norms) addNorm(expected, `${prefix}.${norm}`, width);
  addLinear(expected, `${prefix}.${names.mlp[0]}`, mlpWidth, width);
  addLinear(expected, `${prefix}.${names.mlp[1]}`, width, mlpWidth);
}

/** Query, key and value as torch.nn.MultiheadAttention stacks them. */
export function addStackedProjections(expected: Expected, prefix: string, width: number): void {
  expected.set(`${prefix}.in_proj_weight`, [3 * width, width]);
  expected.set(`${prefix}.in_proj_bias`, [3 * width]);
}

/** Embeddings and layers of BERT under `prefix`. */
export function addBert(expected: Expected, prefix: string, text: TextSizes): void {
  addEmbeddings(expected, `${prefix}.embeddings`, text.vocabulary, text.positions, text.width);
  for (let layer = 0; layer < text.layers; layer++) addBertLayer(expected, `${prefix}.encoder.layer.${layer}`, text);
}

export function addBertLayer(expected: Expected, prefix: string, sizes: Pick<TextSizes, 'width' | 'mlpWidth'>): void {
  const { width, mlpWidth } = sizes;
  addBertAttention(expected, `${prefix}.attention`, width, width);
  addLinear(expected, `${prefix}.intermediate.dense`, mlpWidth, width);
  addLinear(expected, `${prefix}.output.dense`, width, mlpWidth);
  addNorm(expected, `${prefix}.output.LayerNorm`, width);
}

/** An attention with its output layer; `attended` is the width of the rows that it attends to. */
export function addBertAttention(expected: Expected, prefix: string, width: number, attended: number): void {
  addLinear(expected, `${prefix}.self.query`, width, width);
  for (const part of ['key', 'value']) addLinear(expected, `${prefix}.self.${part}`, width, attended);
  addLinear(expected, `${prefix}.output.dense`, width, width);
  addNorm(expected, `${prefix}.output.LayerNorm`, width);
}

export function addEmbeddings(
  expected: Expected,
  prefix: string,
  rows: number,
  positions: number,
  width: number,
): void {
  expected.set(`${prefix}.word_embeddings.weight`, [rows, width]);
  expected.set(`${prefix}.position_embeddings.weight`, [positions, width]);
  expected.set(`${prefix}.token_type_embeddings.weight`, [2, width]);
  addNorm(expected, `${prefix}.LayerNorm`, width);
}

export function addLinear(expected: Expected, prefix: string, out: number, into: number): void {
  expected.set(`${prefix}.weight`, [out, into]);
  expected.set(`${prefix}.bias`, [out]);
}

export function addNorm(expected: Expected, prefix: string, width: number): void {
  expected.set(`${prefix}.weight`, [width]);
  expected.set(`${prefix}.bias`, [width]);
}
