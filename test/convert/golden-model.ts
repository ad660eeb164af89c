import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parseNpy } from '../../src/cli/npy.ts';
import { openCheckpoint } from '../../src/convert/checkpoint/open-checkpoint.ts';
import {
  CONVERT_DEFAULTS,
  type ConversionReport,
  type ConvertOptions,
  convertCheckpoint,
} from '../../src/convert/convert-checkpoint.ts';
import { type GraphPrecision, type Precisions, samePrecision } from '../../src/convert/precision.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import type { GraphSession, OpenGraph, Tensor } from '../../src/core/ports.ts';
import { loadGraph } from '../../src/inference/session.ts';
import { floatTensor, type StoredTensor, torchZip } from './torch-file.ts';

/** What the reference code computed with the checkpoint of test/fixtures/uniclip-mini. */
export interface Golden {
  readonly images: readonly string[];
  readonly texts: readonly string[];
  readonly text_embedding_context52: readonly (readonly number[])[];
  readonly text_embedding_context12: readonly (readonly number[])[];
  readonly image_embedding: readonly (readonly number[])[];
  readonly ocr_presence: readonly number[];
  /** [image][text] */
  readonly ocr_semantic_context20: readonly (readonly number[])[];
}

const fixtures = join(packageRoot, 'test/fixtures/uniclip-mini');

export const openGraph: OpenGraph = (file) => loadGraph(file, { threads: 1 });

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-convert-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function readGolden(): Promise<Golden> {
  return JSON.parse(await readFile(join(fixtures, 'golden.json'), 'utf8')) as Golden;
}

/** The matching head's judgement of every picture with every text, [image][text], by the code that trains it. */
export async function readMatching(): Promise<readonly (readonly number[])[]> {
  const file = JSON.parse(await readFile(join(fixtures, 'itm.json'), 'utf8')) as { itm_context20: number[][] };
  return file.itm_context20;
}

/** Preprocessed pictures [n, 3, 64, 64]. */
export async function goldenPixels(): Promise<Tensor> {
  const { shape, data } = parseNpy(await readFile(join(fixtures, 'pixels.npy')), 'pixels.npy');
  return { type: 'float32', dims: shape, data };
}

export async function goldenPicture(name: string): Promise<Buffer> {
  return readFile(join(fixtures, 'images', name));
}

export async function writeGoldenCheckpoint(folder: string): Promise<string> {
  const file = join(folder, 'golden.pt');
  await writeFile(file, gunzipSync(await readFile(join(fixtures, 'checkpoint.pt.gz'))));
  return file;
}

/** The golden model's tensors by their names without `module.`, as float32. */
export async function goldenTensors(folder: string): Promise<Map<string, StoredTensor>> {
  return readTensors(await writeGoldenCheckpoint(folder));
}

/** The golden model's tensors, with its semantic head as a matching one as well; see `readMatching`. */
export async function withMatchingHead(folder: string): Promise<Map<string, StoredTensor>> {
  const tensors = await goldenTensors(folder);
  for (const [name, tensor] of [...tensors]) {
    const matching = name.replace('ocr_content_decoder', 'itm_decoder').replace('ocr_content', 'itm');
    if (/^(ocr_content|ln_ocr_content|proj_ocr_content)/.test(name)) tensors.set(matching, tensor);
  }
  return tensors;
}

/** The image tower of a model of the RN50 family, and its embeddings of the same pictures. */
export async function goldenResnet(
  folder: string,
): Promise<{ tensors: Map<string, StoredTensor>; embeddings: readonly (readonly number[])[] }> {
  const fixture = join(packageRoot, 'test/fixtures/uniclip-minirn');
  const file = join(folder, 'visual.pt');
  await writeFile(file, gunzipSync(await readFile(join(fixture, 'visual.pt.gz'))));
  const golden = JSON.parse(await readFile(join(fixture, 'golden.json'), 'utf8')) as Golden;
  return { tensors: await readTensors(file), embeddings: golden.image_embedding };
}

async function readTensors(file: string): Promise<Map<string, StoredTensor>> {
  const checkpoint = await openCheckpoint(file);
  const tensors = new Map<string, StoredTensor>();
  for (const name of checkpoint.names) {
    const tensor = checkpoint.tensor(name);
    tensors.set(name.replace('module.', ''), floatTensor(tensor.shape, await tensor.read()));
  }
  await checkpoint.close();
  return tensors;
}

export async function writeCheckpoint(folder: string, tensors: ReadonlyMap<string, StoredTensor>): Promise<string> {
  const file = join(folder, 'written.pt');
  await writeFile(file, torchZip(Object.fromEntries(tensors)));
  return file;
}

export function convert(
  checkpoint: string,
  out: string,
  changes: Partial<Omit<ConvertOptions, 'precision'>> & { readonly precision?: GraphPrecision | Precisions } = {},
): Promise<ConversionReport> {
  const { precision = 'fp32' } = changes;
  const options: ConvertOptions = {
    ...CONVERT_DEFAULTS,
    checkpoint,
    out,
    ...changes,
    precision: typeof precision === 'string' ? samePrecision(precision) : precision,
  };
  return convertCheckpoint(options, { openGraph });
}

export async function graph(t: TestContext, folder: string, name: string): Promise<GraphSession> {
  const session = await openGraph(join(folder, `${name}.onnx`));
  t.after(() => session.close());
  return session;
}

export function floats(tensor: Tensor | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new TypeError('a float32 tensor was expected');
  return tensor.data;
}

/** Largest difference of any two numbers at the same place. */
export function largestDifference(got: Float32Array, expected: readonly number[]): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  return expected.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (got[index] ?? 0))), 0);
}

export function cosine(a: Float32Array, b: readonly number[]): number {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Array.from(x).reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
