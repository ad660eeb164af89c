import type { StoredType } from './stored-types.ts';

/** A tensor that stays in the file until it is read. */
export interface CheckpointTensor {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** Rows `start` to `start + count` of the first dimension, as a view: nothing is read or copied. */
  rows(start: number, count: number): CheckpointTensor;
  /** The values in row-major order. Rejects with `invalid_checkpoint` when the stored bytes are damaged. */
  read(): Promise<Float32Array>;
}

/** The state dict of a checkpoint file, names as they are stored. */
export interface Checkpoint {
  /** Container, as a person would name it. */
  readonly format: string;
  /** Paths of all files that it is read from; of a checkpoint in parts its index first. */
  readonly files: readonly string[];
  readonly names: readonly string[];
  /** Entries of the state dict that are no tensors. */
  readonly others: readonly string[];
  /** Throws `invalid_checkpoint` when there is no tensor of this name. */
  tensor(name: string): CheckpointTensor;
  close(): Promise<void>;
}
