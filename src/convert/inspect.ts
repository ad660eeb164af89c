import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { BundleManifest, bundleHash } from '../core/bundle-format.ts';
import { failure, isFailure } from '../core/errors.ts';
import type { BundlePlan } from './architectures/bundle-plan.ts';
import { planBundle } from './architectures/plan-bundle.ts';
import type { Mapping } from './architectures/tensor-layout.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import { openCheckpoint } from './checkpoint/open-checkpoint.ts';
import type { StoredType } from './checkpoint/stored-types.ts';
import { elementCount } from './onnx/graph.ts';
import { samePrecision } from './precision.ts';

export interface TensorSummary {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
}

/** What a checkpoint is taken for, or why for nothing. */
export type Guess =
  | { readonly architecture: string; readonly sizes: BundlePlan['sizes']; readonly mapping: Mapping }
  | { readonly architecture: null; readonly reason: string };

export interface CheckpointSummary {
  readonly kind: 'checkpoint';
  readonly format: string;
  readonly parameters: number;
  readonly guess: Guess;
  readonly tensors: readonly TensorSummary[];
  /** Entries of the state dict that are no tensors. */
  readonly others: readonly string[];
}

export interface BundleSummary {
  readonly kind: 'bundle';
  readonly manifest: BundleManifest;
}

/** Describes a checkpoint file or a bundle folder. Rejects with `invalid_checkpoint` or `invalid_bundle`. */
export async function inspect(path: string): Promise<CheckpointSummary | BundleSummary> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isFolder ? inspectBundle(path) : inspectCheckpoint(path);
}

/** Names, types and shapes; no weight is read. Rejects with `invalid_checkpoint`. */
export async function inspectCheckpoint(file: string): Promise<CheckpointSummary> {
  const checkpoint = await openCheckpoint(file);
  try {
    const tensors = checkpoint.names.map((name) => {
      const { type, shape } = checkpoint.tensor(name);
      return { name, type, shape };
    });
    return {
      kind: 'checkpoint',
      format: checkpoint.format,
      parameters: tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      guess: guessArchitecture(checkpoint),
      tensors,
      others: checkpoint.others,
    };
  } finally {
    await checkpoint.close();
  }
}

/** Head counts are not in the weights, and no size depends on them. */
const ANY_HEADS = 1;

function guessArchitecture(checkpoint: Checkpoint): Guess {
  try {
    const { architecture, sizes, mapping } = planBundle(checkpoint, undefined, {
      precision: samePrecision('fp32'),
      tokenBits: undefined,
      poolTokens: undefined,
      contextLength: undefined,
      ocrContextLength: undefined,
      imageSize: undefined,
      visionHeads: ANY_HEADS,
      textHeads: ANY_HEADS,
      visionModel: undefined,
      textModel: undefined,
    });
    const known = Object.entries(sizes).filter(([name]) => !name.endsWith('_heads'));
    return { architecture, sizes: Object.fromEntries(known), mapping };
  } catch (error) {
    if (isFailure(error)) return { architecture: null, reason: error.detail };
    throw error;
  }
}

async function inspectBundle(folder: string): Promise<BundleSummary> {
  const file = join(folder, 'bundle.json');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw failure('invalid_bundle', `${folder} is no model bundle: its bundle.json cannot be read (${error.code}).`);
  });
  const manifest = parseManifest(file, text);
  if (bundleHash(manifest) !== manifest.hash) {
    throw failure('invalid_bundle', `${file} was changed after the bundle was made: its hash does not agree.`);
  }
  return { kind: 'bundle', manifest };
}

function parseManifest(file: string, text: string): BundleManifest {
  try {
    return Value.Parse(BundleManifest, JSON.parse(text));
  } catch (cause) {
    throw failure('invalid_bundle', `${file} is no manifest of a model bundle.`, { cause });
  }
}
