import { failure } from '../../core/errors.ts';
import { MATCHING_TOWER } from '../towers/uniclip-image.ts';
import { openaiVit } from '../towers/vit.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { countLayers, hasAny, mlpWidth, shapeOf } from './size-readers.ts';
import { readTextSizes, type TextSizes } from './text-sizes.ts';
import { type HeadCounts, readVisionSizes, readVitSizes, type VisionSizes, type VitSizes } from './vision-sizes.ts';

/** What the weights of an image tower and BERT with OCR heads leave open in the family's layout. */
export interface UniclipSizes {
  readonly embeddingDim: number;
  readonly vision: VisionSizes;
  readonly text: TextSizes;
  readonly presence: HeadSizes | null;
  readonly semantic: (HeadSizes & { readonly vocabulary: number; readonly positions: number }) | null;
  /** A head over the text tower's states, which our own training adds; no published file has one. */
  readonly matching: MatchingSizes | null;
}

export interface HeadSizes {
  readonly layers: number;
  readonly mlpWidth: number;
}

export interface MatchingSizes extends HeadSizes {
  /** An image tower that it has for itself, with the patches of the other one; null where it reads that one's tokens. */
  readonly vision: VitSizes | null;
}

const MATCHING_PARTS = ['itm_decoder.resblocks.', 'ln_itm.', 'proj_itm'];
const MATCHING_TOWER_PARTS = ['conv1.weight', 'transformer.resblocks.', 'ln_post.', 'proj']
  .map((part) => `${MATCHING_TOWER}.${part}`)
  .concat('itm_scale');

/** Tensors that every model of the family has and that tell it from others. */
export const UNICLIP_MARKS = ['visual.conv1.weight', 'bert.embeddings.word_embeddings.weight', 'text_projection'];

/** Reads all sizes off the weights. Throws `invalid_checkpoint`, saying what was seen. */
export function readUniclipSizes(weights: CanonicalWeights, heads: HeadCounts): UniclipSizes {
  const vision = readVisionSizes(weights, heads.vision);
  const text = readTextSizes(weights, 'bert', heads.text);
  const [, embeddingDim = 0] = shapeOf(weights, 'text_projection', 2);
  const sizes = { embeddingDim, vision, text };
  // The heads read the tokens of a ViT; a ResNet has none.
  if (vision.kind !== 'vit') return { ...sizes, presence: null, semantic: null, matching: null };
  return {
    ...sizes,
    presence: readPresence(weights),
    semantic: readSemantic(weights, vision.width, text.width),
    matching: readMatching(weights, vision, text.width),
  };
}

function readPresence(weights: CanonicalWeights): UniclipSizes['presence'] {
  if (!hasAny(weights, ['ocr_presence_decoder.', 'ln_ocr_presence.', 'proj_ocr_presence'])) return null;
  return readHead(weights, 'ocr_presence');
}

function readSemantic(weights: CanonicalWeights, visionWidth: number, textWidth: number): UniclipSizes['semantic'] {
  const parts = ['ocr_semantic_decoder.', 'ln_ocr_semantic.', 'proj_ocr_semantic', 'bert_embedding.'];
  if (!hasAny(weights, parts)) return null;
  demandOneWidth('semantic', visionWidth, textWidth);
  return {
    ...readHead(weights, 'ocr_semantic'),
    vocabulary: shapeOf(weights, 'bert_embedding.word_embeddings.weight', 2)[0] ?? 0,
    positions: shapeOf(weights, 'bert_embedding.position_embeddings.weight', 2)[0] ?? 0,
  };
}

function readMatching(weights: CanonicalWeights, vision: VitSizes, textWidth: number): MatchingSizes | null {
  // Names that are nobody's standard: what has some of them only is another thing, and left out as such.
  const hasTower = hasAny(weights, [`${MATCHING_TOWER}.`, 'itm_scale']);
  const parts = [...MATCHING_PARTS, ...(hasTower ? MATCHING_TOWER_PARTS : [])];
  if (!parts.every((part) => hasAny(weights, [part]))) return null;
  demandOneWidth('matching', vision.width, textWidth);
  return { ...readHead(weights, 'itm'), vision: hasTower ? readMatchingTower(weights, vision) : null };
}

function readMatchingTower(weights: CanonicalWeights, other: VitSizes): VitSizes {
  const names = openaiVit(MATCHING_TOWER);
  const [width] = shapeOf(weights, names.patchEmbedding, 4);
  // Heads are not in the weights: of one width, both have as many.
  const vision = readVitSizes(weights, names, width === other.width ? other.heads : undefined);
  for (const size of ['width', 'patch', 'grid'] as const) {
    if (vision[size] === other[size]) continue;
    throw failure(
      'invalid_checkpoint',
      `Both image towers need one ${size}; it is ${other[size]} in visual and ${vision[size]} in ${MATCHING_TOWER}.`,
    );
  }
  return vision;
}

function readHead(weights: CanonicalWeights, name: string): HeadSizes {
  const blocks = `${name}_decoder.resblocks`;
  return { layers: countLayers(weights, blocks), mlpWidth: mlpWidth(weights, `${blocks}.0.mlp.c_fc.weight`) };
}

function demandOneWidth(head: string, visionWidth: number, textWidth: number): void {
  if (visionWidth === textWidth) return;
  throw failure(
    'invalid_checkpoint',
    `The ${head} head needs towers of one width; the image tower is ${visionWidth} wide, the text tower ${textWidth}.`,
  );
}
