import type { TokenShape } from '../towers/image-tokens.ts';
import { addItmGraph } from '../towers/itm-head.ts';
import type { Tower } from '../towers/layers.ts';
import { addR2d2ImageGraph } from '../towers/r2d2-image.ts';
import { addTextGraph } from '../towers/text-graph.ts';
import type { BundlePlan, GraphFamily, PlanOptions } from './bundle-plan.ts';
import type { CanonicalWeights } from './canonical-names.ts';
import { CLIP_COLOURS } from './clip-colours.ts';
import { refuseForReranker, refuseOption } from './foreign-options.ts';
import { chooseImageSize, chooseLength, tokenShape } from './lengths.ts';
import { graphBuilder, preprocessFamily } from './planned-graphs.ts';
import { assertNamedModels, describeTowers } from './published-models.ts';
import { R2D2_OF_NO_USE, R2D2_TEXT, R2D2_VIT, type R2d2Sizes, r2d2Tensors, readR2d2Sizes } from './r2d2-sizes.ts';
import { countParameters } from './size-readers.ts';
import { mapTensors } from './tensor-layout.ts';

/** Ids that the model is trained with. */
const CONTEXT_LENGTH = 64;
/** To the transformers library's tokenizer a longer word is one [UNK]. */
const MAX_WORD_CHARACTERS = 100;

/** The joint layers take the tokens as they are, with no norm in between that would forgive coarse steps. */
const DEFAULT_TOKEN_BITS = 16;

interface Lengths {
  readonly text: number;
  readonly imageSize: number;
  readonly tokens: TokenShape;
}

/** Plans a bundle of R2D2 or, where there are no joint layers, PRD2. Throws `invalid_checkpoint` for what does not fit. */
export function planR2d2(weights: CanonicalWeights, options: PlanOptions): BundlePlan {
  const sizes = readR2d2Sizes(weights, { vision: options.visionHeads, text: options.textHeads });
  refuseOption('--ocr-context-length', options.ocrContextLength, 'the model has no OCR heads');
  if (sizes.joint === null) refuseForReranker(options);
  assertNamedModels(sizes, { vision: options.visionModel, text: options.textModel });
  const mapping = mapTensors(weights, r2d2Tensors(sizes), R2D2_OF_NO_USE);
  const { vision, text, joint, embeddingDim } = sizes;
  const imageSize = chooseImageSize(vision, options.imageSize);
  const lengths = {
    text: chooseLength('--context-length', options.contextLength, CONTEXT_LENGTH, text.positions),
    imageSize,
    tokens: tokenShape(vision, imageSize, options, DEFAULT_TOKEN_BITS),
  };
  const isPrd2 = joint === null;
  return {
    architecture: describeTowers(isPrd2 ? 'prd2' : 'r2d2', sizes),
    embeddingDim,
    tokenizer: { contextLength: lengths.text, specialTokensInText: true, maxWordCharacters: MAX_WORD_CHARACTERS },
    image: { size: lengths.imageSize, ...CLIP_COLOURS },
    referenceDecoding: 'pillow_rgb',
    tokens: isPrd2 ? null : lengths.tokens,
    rerank: isPrd2 ? null : { contextLength: lengths.text, signals: ['itm_text', 'itm_image'] },
    hasPresence: false,
    signals: isPrd2 ? ['cosine'] : ['cosine', 'itm_text', 'itm_image', 'itm'],
    // The authors' score in retrieval: the mean of both matching probabilities and the cosine, each as it is.
    fusion: isPrd2 ? { cosine: 1 } : { cosine: 1, itm: 1 },
    vocabularyRows: [text.vocabulary],
    sizes: reportedSizes(sizes, lengths.imageSize),
    mapping,
    renamed: weights.renamed,
    parameters: countParameters(weights, mapping.used),
    families: planGraphs(weights, sizes, lengths, options),
  };
}

/** The rerank graphs hold the text tower, so that all graphs of text share one file of weights. */
function planGraphs(
  weights: CanonicalWeights,
  sizes: R2d2Sizes,
  lengths: Lengths,
  { precision }: PlanOptions,
): GraphFamily[] {
  const { vision, text, joint, embeddingDim } = sizes;
  const build = graphBuilder(weights);
  const image = (tower: Tower): void =>
    addR2d2ImageGraph(tower, {
      names: R2D2_VIT,
      ...vision,
      trainedGrid: vision.grid,
      grid: lengths.imageSize / vision.patch,
      classTokenOnly: joint === null,
      embeddingDim,
      tokens: lengths.tokens,
    });
  const texts = [
    build('text', precision.text, (tower) =>
      addTextGraph(tower, {
        ...text,
        name: R2D2_TEXT,
        contextLength: lengths.text,
        embeddingDim,
        projection: { kind: 'linear', name: 'text_proj' },
      }),
    ),
  ];
  if (joint !== null) {
    const itm = {
      text: { layers: text.layers, contextLength: lengths.text },
      heads: text.heads,
      textJointLayers: joint.text.layers,
      imageJointLayers: joint.image.layers,
      tokens: lengths.tokens,
    };
    texts.push(
      build('rerank', precision.rerank, (tower) => addItmGraph(tower, { ...itm, tokenForm: 'stored' })),
      build('rerank_float', precision.rerank, (tower) => addItmGraph(tower, { ...itm, tokenForm: 'float32' })),
    );
  }
  return [
    preprocessFamily(weights, { size: lengths.imageSize, ...CLIP_COLOURS }),
    { dataFile: 'image.onnx.data', graphs: [build('image', precision.image, image)] },
    { dataFile: 'text.onnx.data', graphs: texts },
  ];
}

function reportedSizes({ vision, text, joint, embeddingDim }: R2d2Sizes, imageSize: number): BundlePlan['sizes'] {
  return {
    embedding_dim: embeddingDim,
    image_size: imageSize,
    vision_width: vision.width,
    vision_layers: vision.layers,
    vision_heads: vision.heads,
    vision_patch: vision.patch,
    text_width: text.width,
    text_layers: text.layers,
    text_heads: text.heads,
    text_positions: text.positions,
    vocabulary: text.vocabulary,
    text_joint_layers: joint?.text.layers ?? 0,
    image_joint_layers: joint?.image.layers ?? 0,
  };
}
