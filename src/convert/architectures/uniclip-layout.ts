import { OPENAI_BLOCK } from '../towers/encoder-blocks.ts';
import { MATCHING_TOWER } from '../towers/uniclip-image.ts';
import { openaiVit } from '../towers/vit.ts';
import {
  addBert,
  addBlock,
  addEmbeddings,
  addLinear,
  addNorm,
  addStackedProjections,
  addVit,
  type Expected,
} from './tensor-layout.ts';
import type { HeadSizes, UniclipSizes } from './uniclip-sizes.ts';
import type { ResnetSizes, VitSizes } from './vision-sizes.ts';

export const UNICLIP_OF_NO_USE = [
  /^bert\.pooler\./,
  /(^|\.)position_ids$/,
  /^logit_scale$/,
  /\.num_batches_tracked$/,
  /(^|\.)attn_mask$/,
];

/** The tensors that a model of these sizes has. */
export function uniclipTensors(sizes: UniclipSizes): Expected {
  const expected: Expected = new Map();
  if (sizes.vision.kind === 'vit') addImageTower(expected, 'visual', sizes.vision, sizes.embeddingDim);
  else addResnet(expected, sizes.vision, sizes.embeddingDim);
  addBert(expected, 'bert', sizes.text);
  expected.set('text_projection', [sizes.text.width, sizes.embeddingDim]);
  addHeads(expected, sizes);
  return expected;
}

function addImageTower(expected: Expected, prefix: string, vision: VitSizes, embeddingDim: number): void {
  addVit(expected, openaiVit(prefix), vision);
  expected.set(`${prefix}.proj`, [vision.width, embeddingDim]);
  addNorm(expected, `${prefix}.ln_post`, vision.width);
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

function addHeads(expected: Expected, { vision, presence, semantic, matching, embeddingDim }: UniclipSizes): void {
  if (vision.kind !== 'vit') return;
  const { width } = vision;
  if (presence !== null) {
    addNorm(expected, 'ln_ocr_presence', width);
    expected.set('proj_ocr_presence', [width, 2]);
    for (let layer = 0; layer < presence.layers; layer++) {
      addBlock(expected, `ocr_presence_decoder.resblocks.${layer}`, OPENAI_BLOCK, width, presence.mlpWidth);
    }
  }
  if (semantic !== null) {
    expected.set('decoder_class_embedding', [width]);
    addEmbeddings(expected, 'bert_embedding', semantic.vocabulary, semantic.positions, width);
    addDecoder(expected, 'ocr_semantic', width, semantic);
  }
  if (matching !== null) addDecoder(expected, 'itm', width, matching);
  if (matching?.vision) {
    addImageTower(expected, MATCHING_TOWER, matching.vision, embeddingDim);
    expected.set('itm_scale', []);
  }
}

function addDecoder(expected: Expected, name: string, width: number, { layers, mlpWidth }: HeadSizes): void {
  addNorm(expected, `ln_${name}`, width);
  expected.set(`proj_${name}`, [width, 2]);
  for (let layer = 0; layer < layers; layer++) {
    addDecoderBlock(expected, `${name}_decoder.resblocks.${layer}`, width, mlpWidth);
  }
}

function addDecoderBlock(expected: Expected, prefix: string, width: number, mlpWidth: number): void {
  for (const part of ['self_attn', 'cross_attn']) {
    addStackedProjections(expected, `${prefix}.${part}`, width);
    addLinear(expected, `${prefix}.${part}.out_proj`, width, width);
  }
  for (const norm of ['ln_1', 'ln_2', 'ln_3', 'ln_4']) addNorm(expected, `${prefix}.${norm}`, width);
  addLinear(expected, `${prefix}.mlp.c_fc`, mlpWidth, width);
  addLinear(expected, `${prefix}.mlp.c_proj`, width, mlpWidth);
}
