import { join } from 'node:path';
import type { GraphPrecision } from '../../src/convert/precision.ts';
import {
  exportTriton,
  type TritonExportOptions,
  type TritonExportReport,
} from '../../src/convert/triton/export-triton.ts';
import type { BundleManifest } from '../../src/core/bundle-format.ts';
import type { Tensor, TensorMap } from '../../src/core/ports.ts';
import { convert, openGraph, writeGoldenCheckpoint } from './golden-model.ts';
import { HEADS, writeR2d2 } from './r2d2-model.ts';

export interface SmallBundle {
  readonly dir: string;
  readonly manifest: BundleManifest;
}

/** The golden R2D2 as a bundle in `folder`. */
export async function r2d2Bundle(folder: string, precision: GraphPrecision = 'fp32'): Promise<SmallBundle> {
  const dir = join(folder, 'r2d2');
  const { manifest } = await convert(await writeR2d2(folder), dir, { ...HEADS, precision });
  return { dir, manifest };
}

/** The golden model as a bundle in `folder`. */
export async function goldenBundle(folder: string, precision: GraphPrecision = 'fp32'): Promise<SmallBundle> {
  const dir = join(folder, `mini-${precision}`);
  const { manifest } = await convert(await writeGoldenCheckpoint(folder), dir, { precision });
  return { dir, manifest };
}

export function exportModel(
  bundle: SmallBundle,
  out: string,
  changes: Partial<TritonExportOptions> = {},
  open = openGraph,
): Promise<TritonExportReport> {
  const options: TritonExportOptions = {
    bundle,
    out,
    name: undefined,
    replace: false,
    device: 'cpu',
    instances: 1,
    maxBatch: 16,
    queueDelayUs: 500,
    queueTimeoutUs: 1_000_000,
    maxQueued: 64,
    standardOperators: false,
    ...changes,
  };
  return exportTriton(options, open);
}

/** Made tokens of one cover, of the sizes that a real one's have; `seed` tells covers apart. */
export function madeTokens({ manifest }: SmallBundle, seed: number): { values: Int8Array; scales: Float32Array } {
  const { count = 0, width = 0 } = manifest.tokens ?? {};
  const wave = (index: number): number => Math.sin(index * 0.37 + seed * 1.7) + Math.sin(index * 0.011 * (seed + 1));
  return {
    values: Int8Array.from({ length: count * width }, (_, index) => Math.round(63 * wave(index))),
    scales: Float32Array.from({ length: count }, (_, token) => 0.01 + 0.002 * Math.abs(wave(token))),
  };
}

/** Inputs of the bundle's own rerank graph: pair p is `texts[pairText[p]]` with made image p. */
export function rerankInputs(bundle: SmallBundle, texts: readonly number[][], pairText: readonly number[]): TensorMap {
  const length = bundle.manifest.rerank?.context_length ?? 0;
  const masked = bundle.manifest.graphs.rerank?.inputs.some(({ name }) => name === 'attention_mask');
  return {
    input_ids: idsTensor(texts, length),
    ...(masked ? { attention_mask: maskTensor(texts, length) } : {}),
    pair_text: { type: 'int64', dims: [pairText.length], data: BigInt64Array.from(pairText, BigInt) },
    ...tokenTensors(bundle, pairText.length),
  };
}

/** The same pairs for the exported graph. */
export function pairInputs(bundle: SmallBundle, texts: readonly number[][], pairText: readonly number[]): TensorMap {
  const ids = pairText.map((text) => texts[text] ?? []);
  return {
    input_ids: idsTensor(ids, bundle.manifest.rerank?.context_length ?? 0),
    ...tokenTensors(bundle, pairText.length),
  };
}

function maskTensor(texts: readonly (readonly number[])[], length: number): Tensor {
  const data = new Int32Array(texts.length * length);
  for (const [row, ids] of texts.entries()) data.fill(1, row * length, row * length + ids.length);
  return { type: 'int32', dims: [texts.length, length], data };
}

function idsTensor(texts: readonly (readonly number[])[], length: number): Tensor {
  const data = new BigInt64Array(texts.length * length);
  for (const [row, ids] of texts.entries()) data.set(ids.map(BigInt), row * length);
  return { type: 'int64', dims: [texts.length, length], data };
}

function tokenTensors(bundle: SmallBundle, pairs: number): TensorMap {
  const { count = 0, width = 0 } = bundle.manifest.tokens ?? {};
  const values = new Int8Array(pairs * count * width);
  const scales = new Float32Array(pairs * count);
  for (let pair = 0; pair < pairs; pair++) {
    const tokens = madeTokens(bundle, pair);
    values.set(tokens.values, pair * count * width);
    scales.set(tokens.scales, pair * count);
  }
  return {
    tokens_int8: { type: 'int8', dims: [pairs, count, width], data: values },
    token_scale: { type: 'float32', dims: [pairs, count], data: scales },
  };
}
