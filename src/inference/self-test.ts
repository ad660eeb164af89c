import { selfTestPixels } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { Tensor } from '../core/ports.ts';
import type { ImageTokens } from '../core/types.ts';
import type { Bundle } from './bundle.ts';
import { featureOutputs, splitFeatures } from './cover-features.ts';
import { rerankInputs } from './cross-encoder.ts';
import type { ModelPart } from './model-part.ts';
import { padTexts, splitEmbeddings } from './text-encoder.ts';

/** Parts that are not loaded are not tested. */
export interface SelfTestParts {
  readonly text?: ModelPart;
  readonly image: ModelPart;
  readonly rerank?: ModelPart;
}

/**
 * Runs the bundle's recorded text, picture and pair through its loaded graphs and compares with what the conversion
 * recorded. It also is the models' warm-up. Fails with `invalid_bundle`, naming the graph that disagrees.
 */
export async function runSelfTest(bundle: Bundle, { text, image, rerank }: SelfTestParts): Promise<void> {
  if (text !== undefined) await testText(bundle, text);
  const tokens = await testImage(bundle, image);
  if (rerank !== undefined && tokens !== undefined) await testRerank(bundle, rerank, tokens);
}

async function testText(bundle: Bundle, part: ModelPart): Promise<void> {
  const { self_test: expected, embedding_dim: dim } = bundle.manifest;
  const { embedding } = await part.call('run', { graph: 'text', inputs: padTexts([expected.text.input_ids]) });
  const [text] = splitEmbeddings(embedding, 1, dim);
  requireCosine(bundle, 'text', text, expected.text.embedding);
}

/** Returns the picture's tokens, for the reranker. */
async function testImage(bundle: Bundle, part: ModelPart): Promise<ImageTokens | undefined> {
  const { manifest } = bundle;
  const { size } = manifest.image;
  const expected = manifest.self_test.image;
  const pixels: Tensor = { type: 'float32', dims: [1, 3, size, size], data: selfTestPixels(size, expected.step) };
  const outputs = await part.call('run', {
    graph: 'image',
    inputs: { pixel_values: pixels },
    outputs: featureOutputs(manifest),
  });
  const [image] = splitFeatures(outputs, 1, manifest);
  requireCosine(bundle, 'image', image?.embedding, expected.embedding);
  if (expected.ocr_presence !== null) {
    requireClose(bundle, 'image', 'ocr_presence', image?.ocrPresence, expected.ocr_presence);
  }
  return image?.tokens;
}

async function testRerank(bundle: Bundle, part: ModelPart, tokens: ImageTokens): Promise<void> {
  const { manifest } = bundle;
  const { text, rerank: expected } = manifest.self_test;
  const chunk = { query: { tokenIds: text.input_ids }, images: [tokens] };
  const scores = await part.call('run', { graph: 'rerank', inputs: rerankInputs([chunk], manifest) });
  for (const [signal, value] of Object.entries(expected ?? {})) {
    requireClose(bundle, 'rerank', signal, Number(scores[signal]?.data[0]), value);
  }
}

function requireCosine(
  bundle: Bundle,
  graph: string,
  got: Float32Array | undefined,
  expected: readonly number[],
): void {
  const cosine = got?.reduce((sum, value, index) => sum + value * (expected[index] ?? 0), 0) ?? Number.NaN;
  if (cosine >= bundle.manifest.self_test.min_cosine) return;
  throw selfTestFailure(bundle, graph, `its embedding has a cosine of ${cosine.toFixed(4)} to the recorded one`);
}

function requireClose(bundle: Bundle, graph: string, signal: string, got: number | undefined, expected: number): void {
  const difference = Math.abs((got ?? Number.NaN) - expected);
  if (difference <= bundle.manifest.self_test.max_signal_difference) return;
  throw selfTestFailure(bundle, graph, `${signal} is ${got}, recorded was ${expected}`);
}

function selfTestFailure(bundle: Bundle, graph: string, what: string): Error {
  return failure('invalid_bundle', `The self-test of ${bundle.dir} failed in its ${graph} graph: ${what}.`);
}
