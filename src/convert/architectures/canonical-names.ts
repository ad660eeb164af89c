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

/** One or more tensors under canonical names that a stored tensor is or holds. */
export type CanonicalViews = (
  name: string,
  tensor: CheckpointTensor,
) => readonly (readonly [string, CheckpointTensor])[];

/**
 * The checkpoint's tensors without the prefixes of training wrappers, `views` of each. Throws `invalid_checkpoint` when
 * two stored names become the same.
 */
export function canonicalWeights(
  checkpoint: Checkpoint,
  views: CanonicalViews = (name, tensor) => [[name, tensor]],
): CanonicalWeights {
  const tensors = new Map<string, CheckpointTensor>();
  let renamed = 0;
  for (const stored of checkpoint.names) {
    const tensor = checkpoint.tensor(stored);
    for (const [name, view] of views(stripPrefixes(stored), tensor)) {
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
