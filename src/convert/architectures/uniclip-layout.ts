import { failure } from '../../core/errors.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import type { UniclipSizes } from './uniclip-sizes.ts';
import type { ResnetSizes, VitSizes } from './vision-sizes.ts';

/** What became of the tensors of a checkpoint. */
export interface Mapping {
  readonly used: readonly string[];
  /** Known to be of no use when serving: pooler, temperature, position ids. */
  readonly dropped: readonly string[];
  /** Nothing that this architecture knows. */
  readonly unknown: readonly string[];
}

type Expected = Map<string, readonly number[]>;

const OF_NO_USE = [
  /^bert\.pooler\./,
  /(^|\.)position_ids$/,
  /^logit_scale$/,
  /\.num_batches_tracked$/,
  /(^|\.)attn_mask$/,
];

/** Compares the weights with what an architecture of these sizes has. Throws `invalid_checkpoint` on any lack. */
export function mapUniclip(weights: CanonicalWeights, sizes: UniclipSizes): Mapping {
  const expected = expectedTensors(sizes);
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
  const isOfNoUse = (name: string): boolean => OF_NO_USE.some((pattern) => pattern.test(name));
  return {
    used: [...expected.keys()],
    dropped: others.filter(isOfNoUse),
    unknown: others.filter((name) => !isOfNoUse(name)),
  };
}

function expectedTensors(sizes: UniclipSizes): Expected {
  const expected: Expected = new Map();
  if (sizes.vision.kind === 'vit') addVit(expected, sizes.vision, sizes.embeddingDim);
  else addResnet(expected, sizes.vision, sizes.embeddingDim);
  addText(expected, sizes);
  addHeads(expected, sizes);
  return expected;
}

function addVit(expected: Expected, vision: VitSizes, embeddingDim: number): void {
  const { width, patch, grid } = vision;
  expected.set('visual.conv1.weight', [width, 3, patch, patch]);
  expected.set('visual.class_embedding', [width]);
  expected.set('visual.positional_embedding', [grid * grid + 1, width]);
  expected.set('visual.proj', [width, embeddingDim]);
  addNorm(expected, 'visual.ln_pre', width);
  addNorm(expected, 'visual.ln_post', width);
  for (let layer = 0; layer < vision.layers; layer++) {
    addBlock(expected, `visual.transformer.resblocks.${layer}`, width, vision.mlpWidth);
  }
}

function addResnet(expected: Expected, { width, blocks, grid }: ResnetSizes, embeddingDim: number): void {
  addConvolution(expected, 'visual.conv1', 'visual.bn1', [width / 2, 3, 3, 3]);
  addConvolution(expected, 'visual.conv2', 'visual.bn2', [width / 2, width / 2, 3, 3]);
  addConvolution(expected, 'visual.conv3', 'visual.bn3', [width, width / 2, 3, 3]);
  let channels = width;
  for (const [stage, count] of blocks.entries()) {
    const planes = width * 2 ** stage;
    for (let block = 0; block < count; block++) {
      const name = `visual.layer${stage + 1}.${block}`;
      addConvolution(expected, `${name}.conv1`, `${name}.bn1`, [planes, channels, 1, 1]);
      addConvolution(expected, `${name}.conv2`, `${name}.bn2`, [planes, planes, 3, 3]);
      addConvolution(expected, `${name}.conv3`, `${name}.bn3`, [planes * 4, planes, 1, 1]);
      if (block === 0) {
        addConvolution(expected, `${name}.downsample.0`, `${name}.downsample.1`, [planes * 4, channels, 1, 1]);
      }
      channels = planes * 4;
    }
  }
  expected.set('visual.attnpool.positional_embedding', [grid * grid + 1, channels]);
  for (const part of ['q_proj', 'k_proj', 'v_proj']) {
    addLinear(expected, `visual.attnpool.${part}`, channels, channels);
  }
  addLinear(expected, 'visual.attnpool.c_proj', embeddingDim, channels);
}

/** A convolution without bias and the batch norm behind it. */
function addConvolution(expected: Expected, conv: string, norm: string, shape: readonly number[]): void {
  expected.set(`${conv}.weight`, shape);
  for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
    expected.set(`${norm}.${part}`, shape.slice(0, 1));
  }
}

function addText(expected: Expected, { text, embeddingDim }: UniclipSizes): void {
  addEmbeddings(expected, 'bert.embeddings', text.vocabulary, text.positions, text.width);
  expected.set('text_projection', [text.width, embeddingDim]);
  for (let layer = 0; layer < text.layers; layer++) {
    const prefix = `bert.encoder.layer.${layer}`;
    for (const part of ['self.query', 'self.key', 'self.value', 'output.dense']) {
      addLinear(expected, `${prefix}.attention.${part}`, text.width, text.width);
    }
    addNorm(expected, `${prefix}.attention.output.LayerNorm`, text.width);
    addLinear(expected, `${prefix}.intermediate.dense`, text.mlpWidth, text.width);
    addLinear(expected, `${prefix}.output.dense`, text.width, text.mlpWidth);
    addNorm(expected, `${prefix}.output.LayerNorm`, text.width);
  }
}

function addHeads(expected: Expected, { vision, presence, semantic }: UniclipSizes): void {
  if (vision.kind !== 'vit') return;
  const { width } = vision;
  if (presence !== null) {
    addNorm(expected, 'ln_ocr_presence', width);
    expected.set('proj_ocr_presence', [width, 2]);
    for (let layer = 0; layer < presence.layers; layer++) {
      addBlock(expected, `ocr_presence_decoder.resblocks.${layer}`, width, presence.mlpWidth);
    }
  }
  if (semantic !== null) {
    expected.set('decoder_class_embedding', [width]);
    addEmbeddings(expected, 'bert_embedding', semantic.vocabulary, semantic.positions, width);
    addNorm(expected, 'ln_ocr_semantic', width);
    expected.set('proj_ocr_semantic', [width, 2]);
    for (let layer = 0; layer < semantic.layers; layer++) {
      addDecoderBlock(expected, `ocr_semantic_decoder.resblocks.${layer}`, width, semantic.mlpWidth);
    }
  }
}

function addBlock(expected: Expected, prefix: string, width: number, mlpWidth: number): void {
  addAttention(expected, `${prefix}.attn`, width);
  for (const norm of ['ln_1', 'ln_2']) addNorm(expected, `${prefix}.${norm}`, width);
  addMlp(expected, prefix, width, mlpWidth);
}

function addDecoderBlock(expected: Expected, prefix: string, width: number, mlpWidth: number): void {
  for (const part of ['self_attn', 'cross_attn']) addAttention(expected, `${prefix}.${part}`, width);
  for (const norm of ['ln_1', 'ln_2', 'ln_3', 'ln_4']) addNorm(expected, `${prefix}.${norm}`, width);
  addMlp(expected, prefix, width, mlpWidth);
}

function addMlp(expected: Expected, prefix: string, width: number, mlpWidth: number): void {
  addLinear(expected, `${prefix}.mlp.c_fc`, mlpWidth, width);
  addLinear(expected, `${prefix}.mlp.c_proj`, width, mlpWidth);
}

function addAttention(expected: Expected, prefix: string, width: number): void {
  expected.set(`${prefix}.in_proj_weight`, [3 * width, width]);
  expected.set(`${prefix}.in_proj_bias`, [3 * width]);
  addLinear(expected, `${prefix}.out_proj`, width, width);
}

function addEmbeddings(expected: Expected, prefix: string, rows: number, positions: number, width: number): void {
  expected.set(`${prefix}.word_embeddings.weight`, [rows, width]);
  expected.set(`${prefix}.position_embeddings.weight`, [positions, width]);
  expected.set(`${prefix}.token_type_embeddings.weight`, [2, width]);
  addNorm(expected, `${prefix}.LayerNorm`, width);
}

function addLinear(expected: Expected, prefix: string, out: number, into: number): void {
  expected.set(`${prefix}.weight`, [out, into]);
  expected.set(`${prefix}.bias`, [out]);
}

function addNorm(expected: Expected, prefix: string, width: number): void {
  expected.set(`${prefix}.weight`, [width]);
  expected.set(`${prefix}.bias`, [width]);
}
