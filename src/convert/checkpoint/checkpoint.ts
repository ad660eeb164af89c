import { open } from 'node:fs/promises';
import { failure } from '../../core/errors.ts';
import { openTorchZip } from './torch-zip.ts';

/** Number formats that a checkpoint may store; all of them are read as float32. */
export type StoredType =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float64'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

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
  readonly names: readonly string[];
  /** Entries of the state dict that are no tensors. */
  readonly others: readonly string[];
  /** Throws `invalid_checkpoint` when there is no tensor of this name. */
  tensor(name: string): CheckpointTensor;
  close(): Promise<void>;
}

/** First bytes of `torch.save` before version 1.6: the long 0x1950a86a20f9469cfc6c as a protocol 2 pickle. */
const LEGACY_TORCH_MAGIC = Buffer.from('80028a0a6cfc9c46f9206aa85019', 'hex');
const ZIP_MAGIC = Buffer.from('504b0304', 'hex');

/** Opens a checkpoint, telling containers apart by their first bytes. Rejects with `invalid_checkpoint`. */
export async function openCheckpoint(file: string): Promise<Checkpoint> {
  const head = await readHead(file);
  if (head.subarray(0, ZIP_MAGIC.length).equals(ZIP_MAGIC)) return openTorchZip(file);
  if (head.subarray(0, LEGACY_TORCH_MAGIC.length).equals(LEGACY_TORCH_MAGIC)) {
    throw failure(
      'invalid_checkpoint',
      'This is a checkpoint in the legacy torch stream format (torch before 1.6), which is not supported. ' +
        'Save it again with a current torch.save.',
    );
  }
  if (isSafetensors(head)) {
    throw failure('invalid_checkpoint', 'This is a safetensors file, which is not supported. Give the .pt checkpoint.');
  }
  throw failure(
    'invalid_checkpoint',
    head.length === 0 ? 'The file is empty.' : 'The file is no PyTorch checkpoint: it does not start as a zip archive.',
  );
}

async function readHead(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw failure('invalid_checkpoint', `The checkpoint ${file} cannot be opened (${reason}).`, { cause: error });
  }
}

/** Safetensors begin with the length of their JSON header (u64, little-endian) and the header's `{`. */
function isSafetensors(head: Buffer): boolean {
  return head.length >= 9 && head[8] === 0x7b && head.readBigUInt64LE(0) < 100_000_000n;
}
