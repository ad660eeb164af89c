import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type BundleManifest, selfTestPixels } from '../../core/bundle-format.ts';
import { failure } from '../../core/errors.ts';
import type { OpenGraph, Tensor, TensorMap } from '../../core/ports.ts';
import { SERVED_PARAMETERS, servedModelName } from '../../core/served-model.ts';
import { decodeModel, encodeModel, type OnnxModel, type OnnxTensor } from '../onnx/onnx-proto.ts';
import { ignoreMissing, move, withStaging } from '../staging.ts';
import { withGraph } from '../with-graph.ts';
import { modelConfig } from './model-config.ts';
import { type TextSharing, withPairsOnly } from './pairs-graph.ts';
import { withStandardOperators } from './standard-operators.ts';

export interface TritonExportOptions {
  /** A bundle's folder whose files were verified, and its manifest. */
  readonly bundle: { readonly dir: string; readonly manifest: BundleManifest };
  /** The model repository, which may hold other models. */
  readonly out: string;
  /** The model's name on the server; the bundle's when it is undefined. */
  readonly name: string | undefined;
  /** Replace the model that has this name. */
  readonly replace: boolean;
  readonly device: 'gpu' | 'cpu';
  readonly instances: number;
  readonly maxBatch: number;
  readonly queueDelayUs: number;
  readonly queueTimeoutUs: number;
  readonly maxQueued: number;
  /** Leave out ONNX Runtime's own operators, for TensorRT. */
  readonly standardOperators: boolean;
}

export interface TritonExportReport {
  readonly name: string;
  /** The model's folder. */
  readonly path: string;
  readonly bytes: number;
  /** Largest difference of a signal to the one that the bundle recorded of itself. */
  readonly selfTestDifference: number;
  /** What the operator should know. */
  readonly notes: readonly string[];
}

const GRAPH_FILE = 'model.onnx';
const DATA_FILE = 'model.onnx.data';

/**
 * Writes a bundle's reranker as a model of a Triton model repository: `<name>/config.pbtxt` and `<name>/1/model.onnx`.
 * The graph is run before anything is in `out`, and the model appears there as a whole or not at all. Rejects with
 * `invalid_config` when the name is taken or nothing can be written, and with `invalid_bundle` when there is no reranker
 * that could be exported.
 */
export async function exportTriton(options: TritonExportOptions, openGraph: OpenGraph): Promise<TritonExportReport> {
  const { bundle, out } = options;
  const name = options.name ?? servedModelName(bundle.manifest.name);
  if (name !== servedModelName(name)) {
    throw failure('invalid_config', `A model cannot be named ${name}: letters, digits, ".", "_" and "-" only.`);
  }
  const repository = resolve(out);
  const target = join(repository, name);
  await refuseTaken(target, options.replace);
  // A repository that is there may be a mount point, into which nothing can be moved from beside it. A server that polls
  // it logs of the hidden folder that it is no model, and goes on.
  const parent = (await exists(repository)) ? repository : dirname(repository);
  return withStaging(parent, basename(repository), async (staging) => {
    await mkdir(repository, { recursive: true });
    const folder = join(staging, name);
    await mkdir(join(folder, '1'), { recursive: true });
    await writeModel(folder, name, options);
    const selfTestDifference = await runSelfTest(join(folder, '1', GRAPH_FILE), bundle, openGraph);
    const bytes = await sizeOf(join(folder, '1'));
    if (options.replace) await move(target, join(staging, 'replaced')).catch(ignoreMissing);
    await move(folder, target);
    return { name, path: target, bytes, selfTestDifference, notes: notesOn(options) };
  });
}

async function writeModel(folder: string, name: string, options: TritonExportOptions): Promise<void> {
  const { manifest, dir } = options.bundle;
  const described = manifest.graphs.rerank;
  if (described === undefined || manifest.rerank === null) {
    throw failure('invalid_bundle', `The bundle ${manifest.name} has no reranker.`);
  }
  if (options.standardOperators && described.precision === 'int8') {
    throw failure(
      'invalid_config',
      `--standard-operators needs an fp32 or fp16 reranker, but that of ${manifest.name} is int8. Convert the checkpoint with --precision rerank=fp16.`,
    );
  }
  const read = decodeModel(await readFile(join(dir, described.file)));
  if (read === undefined) {
    throw failure('invalid_bundle', `${described.file} of ${manifest.name} was not written by \`coverrank convert\`.`);
  }
  const sharing: TextSharing = options.standardOperators ? 'per_pair' : 'unique';
  const pairs = withPairsOnly(read, described, { sharing, contextLength: manifest.rerank.context_length });
  const model = options.standardOperators
    ? withStandardOperators(pairs.model, described.precision === 'fp16')
    : pairs.model;
  await writeFile(join(folder, '1', GRAPH_FILE), encodeModel(await copyWeights(model, dir, join(folder, '1'))));
  const parameters = { [SERVED_PARAMETERS.bundle]: manifest.name, [SERVED_PARAMETERS.hash]: manifest.hash };
  await writeFile(join(folder, 'config.pbtxt'), modelConfig(pairs, { ...options, name, parameters }));
}

/** Copies the file of weights beside the graph and answers the graph with the file's new name in it. */
async function copyWeights(model: OnnxModel, from: string, to: string): Promise<OnnxModel> {
  const locations = new Set(model.graph.initializer.flatMap((tensor) => locationOf(tensor) ?? []));
  const [location, another] = locations;
  if (location === undefined) return model;
  if (another !== undefined) throw failure('invalid_bundle', 'The rerank graph has more than one file of weights.');
  await copyFile(join(from, location), join(to, DATA_FILE));
  const moved = (tensor: OnnxTensor): OnnxTensor => {
    if (locationOf(tensor) === undefined) return tensor;
    const externalData = (tensor.externalData ?? []).map(({ key, value }) => ({
      key,
      value: key === 'location' ? DATA_FILE : value,
    }));
    return { ...tensor, externalData };
  };
  return { ...model, graph: { ...model.graph, initializer: model.graph.initializer.map(moved) } };
}

function locationOf({ externalData }: OnnxTensor): string | undefined {
  return externalData?.find(({ key }) => key === 'location')?.value;
}

/** Runs the bundle's recorded pair through the exported graph, in a batch of two as a server would. */
async function runSelfTest(
  graphFile: string,
  { dir, manifest }: TritonExportOptions['bundle'],
  openGraph: OpenGraph,
): Promise<number> {
  const { self_test: expected, rerank, image } = manifest;
  if (rerank === null || expected.rerank === null) return 0;
  const pixels: Tensor = {
    type: 'float32',
    dims: [1, 3, image.size, image.size],
    data: selfTestPixels(image.size, expected.image.step),
  };
  const features = await withGraph(openGraph, join(dir, manifest.graphs.image.file), (session) =>
    session.run({ pixel_values: pixels }, ['tokens_int8', 'token_scale']),
  );
  const ids = new BigInt64Array(rerank.context_length);
  ids.set(expected.text.input_ids.map(BigInt));
  const pair: TensorMap = { ...features, input_ids: { type: 'int64', dims: [1, rerank.context_length], data: ids } };
  const twice = Object.fromEntries(Object.entries(pair).map(([name, tensor]) => [name, repeated(tensor)]));
  const scores = await withGraph(openGraph, graphFile, (session) => session.run(twice));

  const differences = Object.entries(expected.rerank).flatMap(([signal, value]) =>
    [0, 1].map((row) => Math.abs(Number(scores[signal]?.data[row]) - value)),
  );
  const largest = Math.max(0, ...differences);
  if (differences.every((difference) => difference <= expected.max_signal_difference)) return largest;
  throw failure('invalid_bundle', `The exported graph of ${manifest.name} does not score as the bundle recorded.`);
}

/** A batch of two equal rows. */
function repeated({ type, dims, data }: Tensor): Tensor {
  const once = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const twice = new Uint8Array(2 * once.length);
  twice.set(once);
  twice.set(once, once.length);
  const View = data.constructor as new (buffer: ArrayBuffer) => Tensor['data'];
  return { type, dims: [2, ...dims.slice(1)], data: new View(twice.buffer) };
}

function notesOn({ bundle, device, standardOperators }: TritonExportOptions): string[] {
  const precision = bundle.manifest.graphs.rerank?.precision;
  return [
    ...(precision === 'int8' && device === 'gpu'
      ? [
          'The reranker is int8, whose operators run on the CPU only: convert it with --precision rerank=fp16 for a GPU.',
        ]
      : []),
    ...(precision === 'int8' && device === 'cpu'
      ? [
          'The reranker is int8: on x64 servers whose processor has neither VNNI nor AMX, sums of two products are cut off at 16 bits and scores differ. Convert it with --precision rerank=fp32 for those.',
        ]
      : []),
    ...(standardOperators
      ? [
          'With standard operators every pair does the text part of its own: ask for them only where a compiler needs it.',
        ]
      : []),
  ];
}

async function refuseTaken(target: string, replace: boolean): Promise<void> {
  if (!(await exists(target))) return;
  if (!replace)
    throw failure('invalid_config', `${target} is there already. Choose a --name, or replace it with --force.`);
  const isModel = await stat(join(target, 'config.pbtxt')).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isModel) throw failure('invalid_config', `${target} holds something that is no model; it is not replaced.`);
}

async function sizeOf(folder: string): Promise<number> {
  const sizes = await Promise.all(
    [GRAPH_FILE, DATA_FILE].map((file) =>
      stat(join(folder, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
