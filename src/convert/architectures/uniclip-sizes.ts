import { failure } from '../../core/errors.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { countLayers, HEAD_WIDTH, headCount, mlpWidth, shapeOf } from './size-readers.ts';
import { readVisionSizes, type VisionSizes } from './vision-sizes.ts';

/** What the weights of an image tower and BERT with OCR heads leave open in the family's layout. */
export interface UniclipSizes {
  readonly embeddingDim: number;
  readonly vision: VisionSizes;
  readonly text: {
    readonly width: number;
    readonly layers: number;
    readonly heads: number;
    readonly mlpWidth: number;
    readonly vocabulary: number;
    readonly positions: number;
  };
  readonly presence: { readonly layers: number; readonly mlpWidth: number } | null;
  readonly semantic: {
    readonly layers: number;
    readonly mlpWidth: number;
    readonly vocabulary: number;
    readonly positions: number;
  } | null;
}

/** Head counts are not in the weights. Undefined means the published models' rule. */
export interface HeadCounts {
  readonly vision: number | undefined;
  readonly text: number | undefined;
}

/** Reads all sizes off the weights. Throws `invalid_checkpoint`, saying what was seen, for another architecture. */
export function readUniclipSizes(weights: CanonicalWeights, heads: HeadCounts): UniclipSizes {
  assertRecognised(weights);
  const vision = readVisionSizes(weights, heads.vision);
  const [vocabulary = 0, textWidth = 0] = shapeOf(weights, 'bert.embeddings.word_embeddings.weight', 2);
  const [, embeddingDim = 0] = shapeOf(weights, 'text_projection', 2);
  // The heads read the tokens of a ViT; a ResNet has none.
  const hasTokens = vision.kind === 'vit';
  return {
    embeddingDim,
    vision,
    text: {
      width: textWidth,
      layers: countLayers(weights, 'bert.encoder.layer'),
      heads: headCount('text', textWidth, HEAD_WIDTH, heads.text),
      mlpWidth: mlpWidth(weights, 'bert.encoder.layer.0.intermediate.dense.weight'),
      vocabulary,
      positions: shapeOf(weights, 'bert.embeddings.position_embeddings.weight', 2)[0] ?? 0,
    },
    presence: hasTokens ? readPresence(weights) : null,
    semantic: hasTokens ? readSemantic(weights, vision.width, textWidth) : null,
  };
}

function assertRecognised(weights: CanonicalWeights): void {
  const marks = ['visual.conv1.weight', 'bert.embeddings.word_embeddings.weight', 'text_projection'];
  if (marks.filter((name) => weights.has(name)).length >= 2) return;
  const roots = [...new Set(weights.names.map((name) => name.split('.').slice(0, 2).join('.')))];
  throw failure(
    'invalid_checkpoint',
    'The architecture is not recognised: this is no UniCLIP, CN-CLIP or QA-CLIP model. ' +
      `Its ${weights.names.length} tensors are under ${roots.slice(0, 12).join(', ')}${roots.length > 12 ? ', …' : ''}.`,
  );
}

function readPresence(weights: CanonicalWeights): UniclipSizes['presence'] {
  if (!hasAny(weights, ['ocr_presence_decoder.', 'ln_ocr_presence.', 'proj_ocr_presence'])) return null;
  return {
    layers: countLayers(weights, 'ocr_presence_decoder.resblocks'),
    mlpWidth: mlpWidth(weights, 'ocr_presence_decoder.resblocks.0.mlp.c_fc.weight'),
  };
}

function readSemantic(weights: CanonicalWeights, visionWidth: number, textWidth: number): UniclipSizes['semantic'] {
  const parts = ['ocr_semantic_decoder.', 'ln_ocr_semantic.', 'proj_ocr_semantic', 'bert_embedding.'];
  if (!hasAny(weights, parts)) return null;
  if (visionWidth !== textWidth) {
    throw failure(
      'invalid_checkpoint',
      `The semantic head needs towers of one width; the image tower is ${visionWidth} wide, the text tower ${textWidth}.`,
    );
  }
  return {
    layers: countLayers(weights, 'ocr_semantic_decoder.resblocks'),
    mlpWidth: mlpWidth(weights, 'ocr_semantic_decoder.resblocks.0.mlp.c_fc.weight'),
    vocabulary: shapeOf(weights, 'bert_embedding.word_embeddings.weight', 2)[0] ?? 0,
    positions: shapeOf(weights, 'bert_embedding.position_embeddings.weight', 2)[0] ?? 0,
  };
}

function hasAny(weights: CanonicalWeights, prefixes: readonly string[]): boolean {
  return weights.names.some((name) => prefixes.some((prefix) => name.startsWith(prefix)));
}
