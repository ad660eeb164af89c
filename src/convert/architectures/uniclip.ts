import type { TokenShape } from '../towers/image-tokens.ts';
import type { Tower } from '../towers/layers.ts';
import { addResnetImageGraph } from '../towers/resnet.ts';
import { addTextGraph } from '../towers/text-graph.ts';
import { addImageGraph } from '../towers/uniclip-image.ts';
import { addRerankGraph, type UniclipRerankOptions } from '../towers/uniclip-rerank.ts';
import type { BundlePlan, GraphFamily, PlanOptions } from './bundle-plan.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { CLIP_COLOURS } from './clip-colours.ts';
import { refuseForReranker } from './foreign-options.ts';
import { chooseImageSize, chooseLength, tokenShape } from './lengths.ts';
import { graphBuilder, preprocessFamily } from './planned-graphs.ts';
import { assertNamedModels, describeTowers } from './published-models.ts';
import { countParameters } from './size-readers.ts';
import { mapTensors } from './tensor-layout.ts';
import { UNICLIP_OF_NO_USE, uniclipTensors } from './uniclip-layout.ts';
import { readUniclipSizes, type UniclipSizes } from './uniclip-sizes.ts';

/** Ids that CN-CLIP trains with, and that UniCLIP's semantic head does. */
const DEFAULT_CONTEXT_LENGTH = 52;
const DEFAULT_RERANK_CONTEXT_LENGTH = 20;
/** The least that keeps the golden scores to 5e-3; a trained head, which normalises the tokens first, may do with 8. */
const DEFAULT_TOKEN_BITS = 10;
/** A longer word is one [UNK] to the family's tokenizer. */
const MAX_WORD_CHARACTERS = 200;

/** Lengths that the position tables and options leave. */
interface Lengths {
  readonly text: number;
  readonly rerank: number;
  readonly imageSize: number;
  readonly tokens: TokenShape;
}

/** Plans a bundle of the UniCLIP, CN-CLIP and QA-CLIP family. Throws `invalid_checkpoint` for what does not fit. */
export function planUniclip(weights: CanonicalWeights, options: PlanOptions): BundlePlan {
  const sizes = readUniclipSizes(weights, { vision: options.visionHeads, text: options.textHeads });
  assertNamedModels(sizes, { vision: options.visionModel, text: options.textModel });
  const mapping = mapTensors(weights, uniclipTensors(sizes), UNICLIP_OF_NO_USE);
  const { text, presence, semantic, matching, embeddingDim } = sizes;
  const pairSignals = [...(semantic === null ? [] : ['ocr_semantic']), ...(matching === null ? [] : ['itm'])];
  const hasReranker = pairSignals.length > 0;
  if (!hasReranker) refuseForReranker(options);
  const lengths = chooseLengths(sizes, options);
  const family = presence === null && !hasReranker ? 'cn-clip' : 'uniclip';
  return {
    architecture: describeTowers(family, sizes),
    embeddingDim,
    tokenizer: { contextLength: lengths.text, specialTokensInText: false, maxWordCharacters: MAX_WORD_CHARACTERS },
    image: { size: lengths.imageSize, ...CLIP_COLOURS },
    referenceDecoding: 'pillow',
    tokens: hasReranker ? lengths.tokens : null,
    rerank: hasReranker ? { contextLength: lengths.rerank, signals: pairSignals } : null,
    hasPresence: presence !== null,
    signals: [
      'cosine',
      ...(presence === null ? [] : ['ocr_presence']),
      ...pairSignals,
      ...(presence === null || semantic === null ? [] : ['ocr_match']),
    ],
    fusion: { cosine: 1 },
    vocabularyRows: semantic === null ? [text.vocabulary] : [text.vocabulary, semantic.vocabulary],
    sizes: reportedSizes(sizes, lengths.imageSize),
    mapping,
    renamed: weights.renamed,
    parameters: countParameters(weights, mapping.used),
    families: planGraphs(weights, sizes, lengths, options),
  };
}

function planGraphs(
  weights: CanonicalWeights,
  sizes: UniclipSizes,
  lengths: Lengths,
  { precision }: PlanOptions,
): GraphFamily[] {
  const { text, matching, embeddingDim } = sizes;
  const build = graphBuilder(weights);
  // Where a reranker runs the text tower too, both read one table.
  const positions = matching === null ? lengths.text : Math.max(lengths.text, lengths.rerank);
  const textGraph = build('text', precision.text, (tower) =>
    addTextGraph(tower, {
      ...text,
      name: 'bert',
      contextLength: positions,
      embeddingDim,
      projection: { kind: 'matrix', name: 'text_projection' },
    }),
  );
  const pairs = rerankOptions(sizes, lengths, positions);
  const rerankGraphs =
    pairs === undefined
      ? []
      : [
          build('rerank', precision.rerank, (tower) => addRerankGraph(tower, { ...pairs, tokenForm: 'stored' })),
          build('rerank_float', precision.rerank, (tower) => addRerankGraph(tower, { ...pairs, tokenForm: 'float32' })),
        ];
  const ofText = matching === null ? [textGraph] : [textGraph, ...rerankGraphs];
  const families: GraphFamily[] = [
    preprocessFamily(weights, { size: lengths.imageSize, ...CLIP_COLOURS }),
    {
      dataFile: 'image.onnx.data',
      graphs: [build('image', precision.image, (tower) => addImageTower(tower, sizes, lengths))],
    },
    { dataFile: 'text.onnx.data', graphs: ofText },
  ];
  if (matching === null && rerankGraphs.length > 0)
    families.push({ dataFile: 'rerank.onnx.data', graphs: rerankGraphs });
  return families;
}

function rerankOptions(
  { vision, text, semantic, matching }: UniclipSizes,
  lengths: Lengths,
  positions: number,
): Omit<UniclipRerankOptions, 'tokenForm'> | undefined {
  if (semantic === null && matching === null) return undefined;
  return {
    width: vision.width,
    heads: vision.heads,
    contextLength: lengths.rerank,
    tokens: lengths.tokens,
    semantic,
    matching:
      matching === null
        ? null
        : {
            layers: matching.layers,
            text: { layers: text.layers, heads: text.heads, contextLength: positions },
            hasTower: matching.vision !== null,
          },
  };
}

function addImageTower(tower: Tower, sizes: UniclipSizes, lengths: Lengths): void {
  const { vision, presence, semantic, matching, embeddingDim } = sizes;
  if (vision.kind === 'resnet') {
    addResnetImageGraph(tower, vision, embeddingDim);
    return;
  }
  addImageGraph(tower, {
    ...vision,
    trainedGrid: vision.grid,
    grid: lengths.imageSize / vision.patch,
    embeddingDim,
    tokens: lengths.tokens,
    presenceLayers: presence?.layers ?? null,
    needsTokens: presence !== null || semantic !== null || matching !== null,
    matchingTowerLayers: matching?.vision?.layers ?? null,
  });
}

function chooseLengths({ vision, text, semantic, matching }: UniclipSizes, options: PlanOptions): Lengths {
  const imageSize = chooseImageSize(vision, options.imageSize);
  const positions = Math.min(semantic?.positions ?? text.positions, matching === null ? Infinity : text.positions);
  return {
    text: chooseLength('--context-length', options.contextLength, DEFAULT_CONTEXT_LENGTH, text.positions),
    rerank: chooseLength('--ocr-context-length', options.ocrContextLength, DEFAULT_RERANK_CONTEXT_LENGTH, positions),
    imageSize,
    // Only what a head reads with a text is stored.
    tokens: tokenShape(vision, imageSize, options, DEFAULT_TOKEN_BITS, matching?.vision && semantic !== null ? 2 : 1),
  };
}

function reportedSizes(
  { vision, text, presence, semantic, matching, embeddingDim }: UniclipSizes,
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
    ...(matching === null ? {} : { matching_layers: matching.layers }),
    ...(matching?.vision ? { matching_vision_layers: matching.vision.layers } : {}),
  };
}
