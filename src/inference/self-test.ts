import { selfTestPixels } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { Tensor, TensorMap } from '../core/ports.ts';
import type { Bundle } from './bundle.ts';
import { featureOutputs, splitFeatures } from './cover-encoder.ts';
import { rerankInputs } from './cross-encoder.ts';
import type { ModelPart } from './model-part.ts';
import { padTexts, splitEmbeddings } from './text-encoder.ts';

export interface SelfTestParts {
  readonly text: ModelPart;
  readonly image: ModelPart;
  readonly rerank: ModelPart | undefined;
}

/**
 * Runs the bundle's recorded text, picture and pair through its loaded graphs and compares with what the conversion
 * recorded. It also is the models' warm-up. Fails with `invalid_bundle`, naming the graph that disagrees.
 */
export async function runSelfTest(bundle: Bundle, parts: SelfTestParts): Promise<void> {
  const { manifest } = bundle;
  const expected = manifest.self_test;

  const inputs = padTexts([expected.text.input_ids]);
  const { embedding } = await parts.text.call('run', { graph: 'text', inputs });
  const [text] = splitEmbeddings(embedding, 1, manifest.embedding_dim);
  requireCosine(bundle, 'text', text, expected.text.embedding);

  const { size } = manifest.image;
  const pixels: Tensor = { type: 'float32', dims: [1, 3, size, size], data: selfTestPixels(size, expected.image.step) };
  const outputs = await parts.image.call('run', {
    graph: 'image',
    inputs: { pixel_values: pixels },
    outputs: featureOutputs(manifest),
  });
  const [image] = splitFeatures(outputs, 1, manifest);
  requireCosine(bundle, 'image', image?.embedding, expected.image.embedding);
  if (expected.image.ocr_presence !== null) {
    requireClose(bundle, 'image', 'ocr_presence', image?.ocrPresence, expected.image.ocr_presence);
  }

  const { rerank, tokens } = manifest;
  if (rerank === null || tokens === null || expected.rerank === null || parts.rerank === undefined) return;
  if (image?.tokens === undefined) throw failure('invalid_bundle', `The image graph of ${bundle.dir} gives no tokens.`);
  const query = { tokenIds: expected.text.input_ids };
  const chunk = { query, images: [image.tokens] };
  const scores: TensorMap = await parts.rerank.call('run', {
    graph: 'rerank',
    inputs: rerankInputs([chunk], rerank.context_length, tokens),
  });
  for (const [signal, value] of Object.entries(expected.rerank)) {
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
