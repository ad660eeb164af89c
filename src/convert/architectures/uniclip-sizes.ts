import { failure } from '../../core/errors.ts';
import type { CanonicalWeights } from './canonical-names.ts';

/** What the weights of a ViT and BERT pair with OCR heads leave open in the family's layout. */
export interface UniclipSizes {
  readonly embeddingDim: number;
  readonly vision: {
    readonly width: number;
    readonly layers: number;
    readonly heads: number;
    readonly mlpWidth: number;
    readonly patch: number;
    /** Patches along one side, as the position table was trained. */
    readonly grid: number;
  };
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

const HEAD_WIDTH = 64;
/** ViT-H/14, the one published model that departs from 64. */
const WIDE_VISION = { width: 1280, headWidth: 80 };

/** Reads all sizes off the weights. Throws `invalid_checkpoint`, saying what was seen, for another architecture. */
export function readUniclipSizes(weights: CanonicalWeights, heads: HeadCounts): UniclipSizes {
  assertRecognised(weights);
  const [width = 0, channels, patch = 0, patchAcross] = shapeOf(weights, 'visual.conv1.weight', 4);
  if (channels !== 3 || patch !== patchAcross || patch === 0) {
    throw failure('invalid_checkpoint', 'visual.conv1.weight is no square patch embedding of three colours.');
  }
  const [vocabulary = 0, textWidth = 0] = shapeOf(weights, 'bert.embeddings.word_embeddings.weight', 2);
  const [, embeddingDim = 0] = shapeOf(weights, 'visual.proj', 2);
  return {
    embeddingDim,
    vision: {
      width,
      layers: countLayers(weights, 'visual.transformer.resblocks'),
      heads: headCount('vision', width, heads.vision),
      mlpWidth: mlpWidth(weights, 'visual.transformer.resblocks.0.mlp.c_fc.weight'),
      patch,
      grid: gridSize(weights),
    },
    text: {
      width: textWidth,
      layers: countLayers(weights, 'bert.encoder.layer'),
      heads: headCount('text', textWidth, heads.text),
      mlpWidth: mlpWidth(weights, 'bert.encoder.layer.0.intermediate.dense.weight'),
      vocabulary,
      positions: shapeOf(weights, 'bert.embeddings.position_embeddings.weight', 2)[0] ?? 0,
    },
    presence: readPresence(weights),
    semantic: readSemantic(weights, width, textWidth),
  };
}

function assertRecognised(weights: CanonicalWeights): void {
  if (weights.has('visual.layer1.0.conv1.weight')) {
    throw failure(
      'invalid_checkpoint',
      'The image tower is a ModifiedResNet (the RN50 family), which is not supported; ViT image towers are.',
    );
  }
  const marks = ['visual.conv1.weight', 'visual.proj', 'bert.embeddings.word_embeddings.weight', 'text_projection'];
  if (marks.filter((name) => weights.has(name)).length >= 3) return;
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

function shapeOf(weights: CanonicalWeights, name: string, dimensions: number): readonly number[] {
  const shape = weights.shape(name);
  if (shape.length !== dimensions || shape.includes(0)) {
    throw failure(
      'invalid_checkpoint',
      `${name} has shape [${shape.join(', ')}]; ${dimensions} dimensions are expected.`,
    );
  }
  return shape;
}

/** Layers are numbered from 0 without gaps; a gap shows later as missing tensors. */
function countLayers(weights: CanonicalWeights, prefix: string): number {
  const numbers = weights.names
    .filter((name) => name.startsWith(`${prefix}.`))
    .map((name) => Number(name.slice(prefix.length + 1).split('.', 1)[0]));
  const highest = numbers.reduce((most, number) => Math.max(most, number), -1);
  if (!Number.isInteger(highest) || highest < 0 || highest > 1000) {
    throw failure('invalid_checkpoint', `The checkpoint has no layers under ${prefix}.`);
  }
  return highest + 1;
}

function mlpWidth(weights: CanonicalWeights, name: string): number {
  return shapeOf(weights, name, 2)[0] ?? 0;
}

function gridSize(weights: CanonicalWeights): number {
  const [rows = 0] = shapeOf(weights, 'visual.positional_embedding', 2);
  const grid = Math.sqrt(rows - 1);
  if (!Number.isInteger(grid) || grid < 1) {
    throw failure(
      'invalid_checkpoint',
      `visual.positional_embedding has ${rows} rows: no class token and square grid.`,
    );
  }
  return grid;
}

function headCount(tower: 'vision' | 'text', width: number, given: number | undefined): number {
  const headWidth = tower === 'vision' && width === WIDE_VISION.width ? WIDE_VISION.headWidth : HEAD_WIDTH;
  const heads = given ?? width / headWidth;
  if (Number.isInteger(heads) && heads >= 1 && width % heads === 0) return heads;
  if (given === undefined) {
    throw failure(
      'invalid_checkpoint',
      `The ${tower} tower is ${width} wide, no multiple of ${headWidth}: name its heads with --${tower}-heads.`,
    );
  }
  throw failure('invalid_config', `--${tower}-heads ${given} does not divide the ${tower} tower's width of ${width}.`);
}
