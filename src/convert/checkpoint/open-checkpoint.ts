import { open } from 'node:fs/promises';
import { failure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openTorchZip } from './torch-zip.ts';

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
