import { type BundleManifest, selfTestPixels } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { OpenGraph, Tensor, TensorMap } from '../core/ports.ts';
import type { BundlePlan } from './architectures/bundle-plan.ts';
import type { Vocabulary } from './vocabulary.ts';
import { withGraph } from './with-graph.ts';

type SelfTest = BundleManifest['self_test'];

/** Step of the made picture's sine: slow enough to have structure inside a patch. */
const PIXEL_STEP = 0.05;

/** Pieces of the recorded text; those that a vocabulary lacks are left out. */
const TEXT_PIECES = ['短', '视', '频', '封', '面', '上', '的', '文', '字', 'a', '1'];

/**
 * What another machine may differ by. int8 rounds to other steps where the processor sums in another order or
 * saturates, fp16 is float32 with rounded weights where a processor lacks it, fp32 differs only in the last digits.
 */
const TOLERANCES = {
  fp32: { min_cosine: 0.9999, max_signal_difference: 0.001 },
  fp16: { min_cosine: 0.999, max_signal_difference: 0.02 },
  int8: { min_cosine: 0.98, max_signal_difference: 0.05 },
} as const;

/** Paths of the graphs just written. */
export interface WrittenGraphs {
  readonly image: string;
  readonly text: string;
  readonly rerank: string | undefined;
}

/** Runs the written graphs on the recorded inputs. Rejects with `invalid_checkpoint` when a result is not finite. */
export async function recordSelfTest(
  plan: BundlePlan,
  graphs: WrittenGraphs,
  vocabulary: Vocabulary,
  openGraph: OpenGraph,
): Promise<SelfTest> {
  const inputIds = recordedText(plan, vocabulary);
  const embedding = await withGraph(openGraph, graphs.text, async (session) => {
    const ids = tensor('int64', [1, inputIds.length], BigInt64Array.from(inputIds, BigInt));
    const mask = tensor('int32', [1, inputIds.length], new Int32Array(inputIds.length).fill(1));
    return floats('text', (await session.run({ input_ids: ids, attention_mask: mask }))['embedding']);
  });

  const image = await withGraph(openGraph, graphs.image, async (session) => {
    const { size } = plan.image;
    const pixels = tensor('float32', [1, 3, size, size], selfTestPixels(size, PIXEL_STEP));
    return session.run({ pixel_values: pixels });
  });

  return {
    text: { input_ids: [...inputIds], embedding: [...embedding] },
    image: {
      step: PIXEL_STEP,
      embedding: [...floats('image', image['embedding'])],
      ocr_presence: plan.hasPresence ? (floats('image', image['ocr_presence'])[0] ?? null) : null,
    },
    rerank: graphs.rerank === undefined ? null : await recordRerank(plan, graphs.rerank, inputIds, image, openGraph),
    ...tolerances(plan),
  };
}

function tolerances({ families }: BundlePlan): (typeof TOLERANCES)[keyof typeof TOLERANCES] {
  const used = new Set(families.flatMap(({ graphs }) => graphs.map(({ precision }) => precision)));
  return TOLERANCES[(['int8', 'fp16'] as const).find((precision) => used.has(precision)) ?? 'fp32'];
}

async function recordRerank(
  plan: BundlePlan,
  file: string,
  inputIds: readonly number[],
  image: Readonly<Record<string, Tensor>>,
  openGraph: OpenGraph,
): Promise<Record<string, number> | null> {
  const { rerank } = plan;
  const { tokens_int8: tokens, token_scale: scale } = image;
  if (rerank === null || tokens === undefined || scale === undefined) return null;
  const outputs = await withGraph(openGraph, file, (session) =>
    session.run({
      ...rerankText(plan, inputIds),
      pair_text: tensor('int64', [1], new BigInt64Array(1)),
      tokens_int8: tokens,
      token_scale: scale,
    }),
  );
  return Object.fromEntries(
    rerank.signals.map((signal) => [signal, floats('rerank', outputs[signal])[0] ?? Number.NaN]),
  );
}

/** As it is where the graph masks padding, otherwise padded as the graph wants it. */
function rerankText({ families, rerank }: BundlePlan, inputIds: readonly number[]): TensorMap {
  const graphs = families.flatMap((family) => family.graphs);
  const inputs = graphs.find(({ name }) => name === 'rerank')?.content.inputs ?? [];
  const masked = inputs.some(({ name }) => name === 'attention_mask');
  const length = masked ? inputIds.length : (rerank?.contextLength ?? 0);
  const ids = BigInt64Array.from({ length }, (_, position) => BigInt(inputIds[position] ?? 0));
  const mask = tensor('int32', [1, length], new Int32Array(length).fill(1));
  return { input_ids: tensor('int64', [1, length], ids), ...(masked ? { attention_mask: mask } : {}) };
}

/** [CLS] some pieces [SEP], short enough for both the text tower and the reranker. */
function recordedText({ tokenizer, rerank }: BundlePlan, vocabulary: Vocabulary): readonly number[] {
  const room = Math.min(tokenizer.contextLength, rerank?.contextLength ?? tokenizer.contextLength) - 2;
  const known = new Set(vocabulary.pieces);
  const pieces = TEXT_PIECES.filter((piece) => known.has(piece)).slice(0, room);
  return ['[CLS]', ...pieces, '[SEP]'].map((piece) => vocabulary.id(piece));
}

function tensor(type: Tensor['type'], dims: readonly number[], data: Tensor['data']): Tensor {
  return { type, dims, data };
}

function floats(graph: string, output: Tensor | undefined): Float32Array {
  const data = output?.data;
  if (data instanceof Float32Array && data.length > 0 && data.every(Number.isFinite)) return data;
  throw failure('invalid_checkpoint', `With these weights the ${graph} graph computes values that are not finite.`);
}
