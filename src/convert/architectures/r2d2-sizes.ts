import { TRANSFORMERS_BLOCK } from '../towers/encoder-blocks.ts';
import type { VitNames } from '../towers/vit.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { countLayers, hasAny, mlpWidth, shapeOf } from './size-readers.ts';
import { addBert, addBertAttention, addBertLayer, addLinear, addVit, type Expected } from './tensor-layout.ts';
import { readTextSizes, type TextSizes } from './text-sizes.ts';
import { type HeadCounts, readVitSizes, type VitSizes } from './vision-sizes.ts';

/** As the transformers library names CLIP's image tower (its norm's spelling is the library's). */
export const R2D2_VIT: VitNames = {
  patchEmbedding: 'visual_encoder.embeddings.patch_embedding.weight',
  classEmbedding: 'visual_encoder.embeddings.class_embedding',
  positions: 'visual_encoder.embeddings.position_embedding.weight',
  firstNorm: 'visual_encoder.pre_layrnorm',
  blocks: 'visual_encoder.encoder.layers',
  block: TRANSFORMERS_BLOCK,
};

export const R2D2_TEXT = 'text_encoder';

export interface R2d2Sizes {
  readonly embeddingDim: number;
  readonly vision: VitSizes;
  readonly text: TextSizes;
  /** The two stacks of joint layers; null for PRD2, which has none. */
  readonly joint: { readonly text: JointSizes; readonly image: JointSizes } | null;
}

interface JointSizes {
  readonly layers: number;
  readonly mlpWidth: number;
}

/** Tensors of the file that the model never reads: its joint layers are entered behind their embeddings. */
export const R2D2_OF_NO_USE = [
  /(^|\.)position_ids$/,
  /^visual_encoder\.post_layernorm\./,
  /^text_encoder\.pooler\./,
  /^(text|img)_joint_layer\.embeddings\./,
  /^temp$/,
];

/** Tensors that both models have and that tell them from others. */
export const R2D2_MARKS = [
  R2D2_VIT.patchEmbedding,
  `${R2D2_TEXT}.embeddings.word_embeddings.weight`,
  'vision_proj.weight',
];
const JOINT_PARTS = ['text_joint_layer.encoder.', 'img_joint_layer.encoder.', 'img_joint_proj.', 'itm_head'];

/** Reads all sizes off the weights. Throws `invalid_checkpoint`, saying what was seen. */
export function readR2d2Sizes(weights: CanonicalWeights, heads: HeadCounts): R2d2Sizes {
  return {
    embeddingDim: shapeOf(weights, 'vision_proj.weight', 2)[0] ?? 0,
    vision: readVitSizes(weights, R2D2_VIT, heads.vision),
    text: readTextSizes(weights, R2D2_TEXT, heads.text),
    joint: hasAny(weights, JOINT_PARTS)
      ? { text: readJoint(weights, 'text_joint_layer'), image: readJoint(weights, 'img_joint_layer') }
      : null,
  };
}

function readJoint(weights: CanonicalWeights, name: string): JointSizes {
  return {
    layers: countLayers(weights, `${name}.encoder.layer`),
    mlpWidth: mlpWidth(weights, `${name}.encoder.layer.0.intermediate.dense.weight`),
  };
}

/** The tensors that a model of these sizes reads. */
export function r2d2Tensors({ vision, text, joint, embeddingDim }: R2d2Sizes): Expected {
  const expected: Expected = new Map();
  addVit(expected, R2D2_VIT, vision);
  addBert(expected, R2D2_TEXT, text);
  addLinear(expected, 'vision_proj', embeddingDim, vision.width);
  addLinear(expected, 'text_proj', embeddingDim, text.width);
  if (joint === null) return expected;

  addLinear(expected, 'img_joint_proj', text.width, vision.width);
  addJointStack(expected, 'text_joint_layer', joint.text, text.width, vision.width);
  addJointStack(expected, 'img_joint_layer', joint.image, text.width, text.width);
  for (const head of ['itm_head', 'itm_head_i']) addLinear(expected, head, 2, text.width);
  return expected;
}

/** BERT layers with a second attention, to rows `attended` wide. */
function addJointStack(expected: Expected, name: string, joint: JointSizes, width: number, attended: number): void {
  for (let layer = 0; layer < joint.layers; layer++) {
    const block = `${name}.encoder.layer.${layer}`;
    addBertLayer(expected, block, { width, mlpWidth: joint.mlpWidth });
    addBertAttention(expected, `${block}.crossattention`, width, attended);
  }
}
