import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BUNDLE_FORMAT, type BundleGraphName, type BundleManifest, bundleHash } from '../core/bundle-format.ts';
import { failure } from '../core/errors.ts';
import type { OpenGraph } from '../core/ports.ts';
import type { BundlePlan, PlanOptions } from './architectures/bundle-plan.ts';
import { type ArchitectureName, planBundle } from './architectures/plan-bundle.ts';
import { openCheckpoint } from './checkpoint/open-checkpoint.ts';
import type { Port } from './onnx/graph.ts';
import { writeGraphs } from './onnx/write-graphs.ts';
import { recordSelfTest } from './self-test.ts';
import { fillBundleFolder } from './staging.ts';
import { storedBytes, storedWidth, type TokenShape, tokenCount } from './towers/image-tokens.ts';
import { DEFAULT_VOCABULARY, readVocabulary, type Vocabulary } from './vocabulary.ts';

export interface ConvertOptions extends PlanOptions {
  /** Path of the checkpoint. */
  readonly checkpoint: string;
  /** Folder to make. */
  readonly out: string;
  /** Replace the bundle that is in `out`. */
  readonly replace: boolean;
  /** The bundle's name; the folder's when it is undefined. */
  readonly name: string | undefined;
  /** Undefined: told by the tensors. */
  readonly architecture: ArchitectureName | undefined;
  /** Path of a vocabulary, one piece a line; the Chinese BERT one when it is undefined. */
  readonly vocabulary: string | undefined;
  /** Pictures as a person sees them, or as the model's own code reads them. */
  readonly decoding: 'viewer' | 'pillow';
  /** Weight of each signal, those left out weigh 0; the architecture's own when it is undefined. */
  readonly fusion: Readonly<Record<string, number>> | undefined;
  /** Where the weights come from and under which licence, for the manifest. */
  readonly source: Readonly<Record<string, string>>;
}

/** What is converted when nothing is said: as the tensors tell, with the architecture's own weights and lengths. */
export const CONVERT_DEFAULTS: Omit<ConvertOptions, 'checkpoint' | 'out' | 'precision'> = {
  replace: false,
  name: undefined,
  architecture: undefined,
  vocabulary: undefined,
  tokenBits: undefined,
  poolTokens: undefined,
  contextLength: undefined,
  ocrContextLength: undefined,
  imageSize: undefined,
  visionHeads: undefined,
  textHeads: undefined,
  visionModel: undefined,
  textModel: undefined,
  decoding: 'viewer',
  fusion: undefined,
  source: {},
};

export interface ConvertDeps {
  /** Opens a graph that was just written, to record what it computes. */
  readonly openGraph: OpenGraph;
  readonly onProgress?: (step: string) => void;
}

/** What a conversion did. */
export interface ConversionReport {
  readonly out: string;
  readonly manifest: BundleManifest;
  readonly format: string;
  readonly sizes: Readonly<Record<string, number>>;
  /** Numbers in the tensors that were mapped. */
  readonly parameters: number;
  readonly mapped: readonly string[];
  readonly renamed: number;
  /** Known tensors that serving has no use for. */
  readonly dropped: readonly string[];
  /** Tensors that the architecture does not know, and entries that are no tensors. */
  readonly unknown: readonly string[];
  readonly bytes: number;
  /** Bytes that the image tokens of one cover take in the store; null where none are kept. */
  readonly tokenBytes: { readonly stored: number; readonly unpooled: number } | null;
  readonly elapsedMs: number;
}

/**
 * Turns a published checkpoint into a bundle. Nothing of `out` exists before everything succeeded. Rejects with
 * `invalid_checkpoint` when the file cannot be used and `invalid_config` when the options do not fit it.
 */
export async function convertCheckpoint(options: ConvertOptions, deps: ConvertDeps): Promise<ConversionReport> {
  const startedAt = performance.now();
  const checkpoint = await openCheckpoint(options.checkpoint);
  try {
    const plan = planBundle(checkpoint, options.architecture, options);
    assertFusion(options.fusion ?? {}, plan.signals);
    const vocabulary = await readVocabulary(options.vocabulary ?? DEFAULT_VOCABULARY, plan.vocabularyRows);
    const manifest = await fillBundleFolder(options.out, options.replace, (folder) =>
      writeBundle(folder, plan, { vocabulary, files: checkpoint.files }, options, deps),
    );
    return {
      out: resolve(options.out),
      manifest,
      format: checkpoint.format,
      sizes: plan.sizes,
      parameters: plan.parameters,
      mapped: plan.mapping.used,
      renamed: plan.renamed,
      dropped: plan.mapping.dropped,
      unknown: [...plan.mapping.unknown, ...checkpoint.others],
      bytes: Object.values(manifest.files).reduce((sum, { bytes }) => sum + bytes, 0),
      tokenBytes: tokenStorage(plan.tokens),
      elapsedMs: performance.now() - startedAt,
    };
  } finally {
    await checkpoint.close();
  }
}

async function writeBundle(
  folder: string,
  plan: BundlePlan,
  { vocabulary, files }: { readonly vocabulary: Vocabulary; readonly files: readonly string[] },
  options: ConvertOptions,
  { openGraph, onProgress }: ConvertDeps,
): Promise<BundleManifest> {
  await writeFile(join(folder, 'vocab.txt'), vocabulary.bytes);
  for (const { dataFile, graphs } of plan.families) {
    onProgress?.(`writing ${graphs.map(({ name }) => name).join(', ')}`);
    const contents = graphs.map(({ name, content }) => ({ file: `${name}.onnx`, graph: content }));
    await writeGraphs(folder, dataFile, contents);
  }
  onProgress?.('running the graphs for the self-test');
  const written = {
    image: join(folder, 'image.onnx'),
    text: join(folder, 'text.onnx'),
    rerank: plan.rerank === null ? undefined : join(folder, 'rerank.onnx'),
  };
  const selfTest = await recordSelfTest(plan, written, vocabulary, openGraph);
  const manifest = await describeBundle(folder, plan, options, selfTest, await digestSource(files));
  await writeFile(join(folder, 'bundle.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function describeBundle(
  folder: string,
  plan: BundlePlan,
  options: ConvertOptions,
  selfTest: BundleManifest['self_test'],
  sourceDigest: string,
): Promise<BundleManifest> {
  const { rerank, tokens, image } = plan;
  const manifest = {
    format: BUNDLE_FORMAT,
    name: options.name ?? basename(resolve(options.out)),
    architecture: plan.architecture,
    embedding_dim: plan.embeddingDim,
    tokenizer: {
      type: 'bert',
      vocab: 'vocab.txt',
      lower_case: true,
      special_tokens_in_text: plan.tokenizer.specialTokensInText,
      max_word_characters: plan.tokenizer.maxWordCharacters,
      context_length: plan.tokenizer.contextLength,
    },
    image: {
      size: image.size,
      mean: [...image.mean],
      std: [...image.std],
      decoding: options.decoding === 'viewer' ? 'viewer' : plan.referenceDecoding,
    },
    tokens: tokens === null ? null : describeTokens(tokens),
    rerank: rerank === null ? null : { context_length: rerank.contextLength, signals: [...rerank.signals] },
    graphs: describeGraphs(plan),
    signals: [...plan.signals],
    fusion: { ...(options.fusion ?? plan.fusion) },
    self_test: selfTest,
    source: {
      file: basename(options.checkpoint),
      sha256: sourceDigest,
      ...options.source,
    },
    files: await digestFolder(folder),
  } satisfies Omit<BundleManifest, 'hash'>;
  return { ...manifest, hash: bundleHash(manifest) };
}

function describeTokens(tokens: TokenShape): NonNullable<BundleManifest['tokens']> {
  const { count, pool } = tokens;
  return { count, width: storedWidth(tokens), ...(pool === 1 ? {} : { pool }) };
}

/** What a cover's tokens take, and what they would without pooling. */
function tokenStorage(tokens: TokenShape | null): ConversionReport['tokenBytes'] {
  if (tokens === null) return null;
  return {
    stored: storedBytes(tokens),
    unpooled: storedBytes({ ...tokens, count: tokens.towers * tokenCount(tokens.grid, 1) }),
  };
}

function describeGraphs({ families }: BundlePlan): BundleManifest['graphs'] {
  const graphs = families.flatMap((family) =>
    family.graphs.map(({ name, precision, content }) => [
      name,
      {
        file: `${name}.onnx`,
        precision,
        inputs: content.inputs.map(copyPort),
        outputs: content.outputs.map(copyPort),
      },
    ]),
  );
  // The plan of every architecture has at least preprocess, image and text.
  return Object.fromEntries(graphs) as Record<BundleGraphName, BundleManifest['graphs']['text']>;
}

function copyPort({ name, type, shape }: Port): { name: string; type: string; shape: (number | string)[] } {
  return { name, type, shape: [...shape] };
}

function assertFusion(fusion: Readonly<Record<string, number>>, signals: readonly string[]): void {
  const unknown = Object.keys(fusion).find((signal) => !signals.includes(signal));
  if (unknown !== undefined) {
    throw failure('invalid_config', `--fusion names ${unknown}, but this model's signals are ${signals.join(', ')}.`);
  }
}

async function digestFolder(folder: string): Promise<BundleManifest['files']> {
  const files: BundleManifest['files'] = {};
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    files[name] = { bytes: (await stat(path)).size, sha256: await digestFile(path) };
  }
  return files;
}

/** The file's sha256; of a checkpoint in parts that over the lines `sha256  name` of all of them, as sha256sum has them. */
async function digestSource(files: readonly string[]): Promise<string> {
  const [only, ...more] = files;
  if (only !== undefined && more.length === 0) return digestFile(only);
  const digest = createHash('sha256');
  for (const file of files) digest.update(`${await digestFile(file)}  ${basename(file)}\n`);
  return digest.digest('hex');
}

async function digestFile(file: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(file), digest);
  return digest.digest('hex');
}
