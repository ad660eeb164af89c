import type { BundleGraphName, Precision } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { elementCount, GraphBuilder, type GraphContent } from '../onnx/graph.ts';
import { addTextGraph } from '../towers/bert.ts';
import type { Tower } from '../towers/layers.ts';
import { addPreprocessGraph } from '../towers/preprocess.ts';
import { addResnetImageGraph } from '../towers/resnet.ts';
import { addRerankGraph } from '../towers/semantic-head.ts';
import { addImageGraph } from '../towers/vit.ts';
import type { BundlePlan, GraphFamily } from './bundle-plan.ts';
import { type CanonicalWeights, canonicalWeights } from './canonical-names.ts';
import { assertNamedModels, describeUniclip } from './published-models.ts';
import { mapUniclip } from './uniclip-layout.ts';
import { readUniclipSizes, type UniclipSizes } from './uniclip-sizes.ts';
import type { VisionSizes } from './vision-sizes.ts';

/** What the caller may decide; undefined means what the weights and the published models say. */
export interface UniclipOptions {
  readonly precision: Precision;
  readonly contextLength: number | undefined;
  readonly ocrContextLength: number | undefined;
  readonly imageSize: number | undefined;
  readonly visionHeads: number | undefined;
  readonly textHeads: number | undefined;
  readonly visionModel: string | undefined;
  readonly textModel: string | undefined;
}

/** Colour statistics of CLIP's training data. */
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];

/** Ids that CN-CLIP trains with, and that UniCLIP's semantic head does. */
const DEFAULT_CONTEXT_LENGTH = 52;
const DEFAULT_OCR_CONTEXT_LENGTH = 20;
const LEAST_CONTEXT_LENGTH = 3;

/** Lengths that the position tables and options leave. */
interface Lengths {
  readonly text: number;
  readonly semantic: number;
  readonly imageSize: number;
}

/** Plans a bundle of the UniCLIP, CN-CLIP and QA-CLIP family. Throws `invalid_checkpoint` for what does not fit. */
export function planUniclip(checkpoint: Checkpoint, options: UniclipOptions): BundlePlan {
  const weights = canonicalWeights(checkpoint);
  const sizes = readUniclipSizes(weights, { vision: options.visionHeads, text: options.textHeads });
  assertNamedModels(sizes, { vision: options.visionModel, text: options.textModel });
  const mapping = mapUniclip(weights, sizes);
  const { vision, text, presence, semantic, embeddingDim } = sizes;
  const lengths = chooseLengths(sizes, options);
  const image = { size: lengths.imageSize, mean: CLIP_MEAN, std: CLIP_STD };
  return {
    architecture: describeUniclip(sizes),
    embeddingDim,
    contextLength: lengths.text,
    image,
    tokens: semantic === null ? null : { count: tokenCount(vision, lengths), width: vision.width },
    rerank: semantic === null ? null : { contextLength: lengths.semantic, signals: ['ocr_semantic'] },
    hasPresence: presence !== null,
    signals: [
      'cosine',
      ...(presence === null ? [] : ['ocr_presence']),
      ...(semantic === null ? [] : ['ocr_semantic']),
      ...(presence === null || semantic === null ? [] : ['ocr_match']),
    ],
    vocabularyRows: semantic === null ? [text.vocabulary] : [text.vocabulary, semantic.vocabulary],
    sizes: reportedSizes(sizes, image.size),
    mapping,
    renamed: weights.renamed,
    parameters: mapping.used.reduce((sum, name) => sum + elementCount(weights.shape(name)), 0),
    families: planGraphs(weights, sizes, lengths, image, options.precision),
  };
}

function planGraphs(
  weights: CanonicalWeights,
  sizes: UniclipSizes,
  lengths: Lengths,
  image: BundlePlan['image'],
  precision: Precision,
): GraphFamily[] {
  const { vision, text, semantic, embeddingDim } = sizes;
  const build = (
    name: BundleGraphName,
    add: (tower: Tower) => void,
  ): { name: BundleGraphName; content: GraphContent } => {
    const graph = new GraphBuilder(name);
    add({ graph, weights, precision });
    return { name, content: graph.content() };
  };
  const families: GraphFamily[] = [
    {
      dataFile: 'preprocess.onnx.data',
      precision: 'fp32',
      graphs: [build('preprocess', ({ graph }) => addPreprocessGraph(graph, image))],
    },
    {
      dataFile: 'image.onnx.data',
      precision,
      graphs: [build('image', (tower) => addImageTower(tower, sizes, lengths))],
    },
    {
      dataFile: 'text.onnx.data',
      precision,
      graphs: [build('text', (tower) => addTextGraph(tower, { ...text, contextLength: lengths.text, embeddingDim }))],
    },
  ];
  if (semantic !== null) {
    const head = {
      width: vision.width,
      layers: semantic.layers,
      heads: vision.heads,
      contextLength: lengths.semantic,
      tokenCount: tokenCount(vision, lengths),
    };
    families.push({
      dataFile: 'rerank.onnx.data',
      precision,
      graphs: [
        build('rerank', (tower) => addRerankGraph(tower, { ...head, tokens: 'int8' })),
        build('rerank_float', (tower) => addRerankGraph(tower, { ...head, tokens: 'float32' })),
      ],
    });
  }
  return families;
}

function addImageTower(tower: Tower, sizes: UniclipSizes, lengths: Lengths): void {
  const { vision, presence, semantic, embeddingDim } = sizes;
  if (vision.kind === 'resnet') {
    addResnetImageGraph(tower, vision, embeddingDim);
    return;
  }
  addImageGraph(tower, {
    ...vision,
    trainedGrid: vision.grid,
    grid: lengths.imageSize / vision.patch,
    embeddingDim,
    presenceLayers: presence?.layers ?? null,
    needsTokens: presence !== null || semantic !== null,
  });
}

/** The class token and one per patch. */
function tokenCount(vision: VisionSizes, { imageSize }: Lengths): number {
  return vision.kind === 'vit' ? (imageSize / vision.patch) ** 2 + 1 : 0;
}

function chooseLengths({ vision, text, semantic }: UniclipSizes, options: UniclipOptions): Lengths {
  return {
    text: chooseLength('--context-length', options.contextLength, DEFAULT_CONTEXT_LENGTH, text.positions),
    semantic:
      semantic === null
        ? 0
        : chooseLength(
            '--ocr-context-length',
            options.ocrContextLength,
            DEFAULT_OCR_CONTEXT_LENGTH,
            semantic.positions,
          ),
    imageSize: chooseImageSize(vision, options.imageSize),
  };
}

function chooseImageSize(vision: VisionSizes, given: number | undefined): number {
  const size = given ?? vision.size;
  if (vision.kind === 'vit' && size % vision.patch !== 0) {
    throw failure('invalid_config', `--image-size ${size} is no multiple of the patch size of ${vision.patch}.`);
  }
  if (vision.kind === 'resnet' && size !== vision.size) {
    throw failure('invalid_config', `--image-size ${size} does not fit a ResNet that was trained at ${vision.size}.`);
  }
  return size;
}

function chooseLength(option: string, given: number | undefined, usual: number, positions: number): number {
  const length = given ?? Math.min(usual, positions);
  if (length < LEAST_CONTEXT_LENGTH || length > positions) {
    throw failure(
      'invalid_config',
      `${option} ${length} is out of range: the model has positions for ${LEAST_CONTEXT_LENGTH} to ${positions} ids.`,
    );
  }
  return length;
}

function reportedSizes(
  { vision, text, presence, semantic, embeddingDim }: UniclipSizes,
  size: number,
): BundlePlan['sizes'] {
  return {
    embedding_dim: embeddingDim,
    image_size: size,
    vision_width: vision.width,
    vision_layers: vision.kind === 'vit' ? vision.layers : vision.blocks.reduce((sum, count) => sum + count, 0),
    vision_heads: vision.heads,
    ...(vision.kind === 'vit' ? { vision_patch: vision.patch } : {}),
    text_width: text.width,
    text_layers: text.layers,
    text_heads: text.heads,
    text_positions: text.positions,
    vocabulary: text.vocabulary,
    presence_layers: presence?.layers ?? 0,
    semantic_layers: semantic?.layers ?? 0,
  };
}
