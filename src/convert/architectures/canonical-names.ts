import { failure } from '../../core/errors.ts';
import type { Checkpoint, CheckpointTensor } from '../checkpoint/checkpoint.ts';
import { stripPrefixes } from '../checkpoint/state-dict.ts';
import { readFinite, type WeightSource } from '../weights.ts';

/** Weights under one spelling, whatever the checkpoint's was. */
export interface CanonicalWeights extends WeightSource {
  readonly names: readonly string[];
  /** How many stored names were spelt otherwise. */
  readonly renamed: number;
}

/** The released UniCLIP file's names of the heads, and what the code calls them since. */
const HEAD_SPELLINGS: readonly (readonly [RegExp, string])[] = [
  [/ocr_exist(?=$|[._])/, 'ocr_presence'],
  [/ocr_content(?=$|[._])/, 'ocr_semantic'],
];

/** A model trained with FlashAttention names the vision blocks' stacked projections otherwise. */
const FLASH_VISION = /((?:^|\.)(?:self_|cross_)?attn)\.Wqkv\.(weight|bias)$/;
const FLASH_TEXT_QKV = /^(.*\.attention\.self)\.Wqkv\.(weight|bias)$/;
const FLASH_TEXT_OUT = /^(.*\.attention)\.self\.out_proj\.(weight|bias)$/;

/**
 * Brings every spelling of the UniCLIP family to the one of the reference code's `presence` and `semantic` heads with
 * query, key and value of BERT apart. Throws `invalid_checkpoint` when two stored names become the same.
 */
export function canonicalWeights(checkpoint: Checkpoint): CanonicalWeights {
  const tensors = new Map<string, CheckpointTensor>();
  let renamed = 0;
  for (const stored of checkpoint.names) {
    const tensor = checkpoint.tensor(stored);
    for (const [name, view] of canonicalViews(stripPrefixes(stored), tensor)) {
      if (tensors.has(name)) {
        throw failure('invalid_checkpoint', `The checkpoint holds ${name} twice, once as ${stored}.`);
      }
      if (name !== stored) renamed++;
      tensors.set(name, view);
    }
  }

  const get = (name: string): CheckpointTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw failure('invalid_checkpoint', `The checkpoint has no ${name}.`);
    return tensor;
  };
  return {
    names: [...tensors.keys()],
    renamed,
    has: (name) => tensors.has(name),
    shape: (name) => get(name).shape,
    get: (name) => finite(name, get(name)),
  };
}

/** The tensor under its canonical name, with every reading checked. */
function finite(name: string, tensor: CheckpointTensor): CheckpointTensor {
  return {
    ...tensor,
    name,
    rows: (start, count) => finite(name, tensor.rows(start, count)),
    read: () => readFinite(name, tensor),
  };
}

function canonicalViews(name: string, tensor: CheckpointTensor): readonly (readonly [string, CheckpointTensor])[] {
  const spelt = HEAD_SPELLINGS.reduce((text, [pattern, head]) => text.replace(pattern, head), name);
  const qkv = FLASH_TEXT_QKV.exec(spelt);
  if (qkv !== null) {
    const [, prefix = '', parameter = ''] = qkv;
    const rows = (tensor.shape[0] ?? 0) / 3;
    if (!Number.isInteger(rows)) {
      throw failure(
        'invalid_checkpoint',
        `${tensor.name} stacks query, key and value, but its rows are not three times as many.`,
      );
    }
    return ['query', 'key', 'value'].map((part, index) => [
      `${prefix}.${part}.${parameter}`,
      tensor.rows(index * rows, rows),
    ]);
  }
  const canonical = spelt.replace(FLASH_VISION, '$1.in_proj_$2').replace(FLASH_TEXT_OUT, '$1.output.dense.$2');
  return [[canonical, tensor]];
}
