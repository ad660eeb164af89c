import { failure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFile } from './file-range.ts';
import { isSafetensors, openSafetensors } from './safetensors.ts';
import { openSharded } from './sharded.ts';
import { LEGACY_TORCH_MAGIC, openTorchLegacy } from './torch-legacy.ts';
import { openTorchZip } from './torch-zip.ts';

const ZIP_MAGIC = Buffer.from('504b0304', 'hex');
const HEAD_BYTES = 16;

/**
 * Opens a checkpoint, telling containers apart by their first bytes: torch.save's zip archive and the stream it wrote
 * before version 1.6, safetensors, and the JSON index of a checkpoint in several of these. Rejects with
 * `invalid_checkpoint`.
 */
export async function openCheckpoint(file: string): Promise<Checkpoint> {
  const head = await readHead(file);
  return startsAsJson(head)
    ? openSharded(file, async (shard) => openContainer(shard, await readHead(shard)))
    : openContainer(file, head);
}

async function openContainer(file: string, head: Buffer): Promise<Checkpoint> {
  if (startsWith(head, ZIP_MAGIC)) return openTorchZip(file);
  if (startsWith(head, LEGACY_TORCH_MAGIC)) return openTorchLegacy(file);
  if (isSafetensors(head)) return openSafetensors(file);
  throw failure(
    'invalid_checkpoint',
    head.length === 0
      ? 'The file is empty.'
      : 'The file is no checkpoint: it is neither what torch.save writes nor safetensors.',
  );
}

async function readHead(path: string): Promise<Buffer> {
  const file = await openFile(path);
  try {
    return await file.read(0, Math.min(HEAD_BYTES, file.size));
  } finally {
    await file.close();
  }
}

function startsWith(head: Buffer, magic: Buffer): boolean {
  return head.subarray(0, magic.length).equals(magic);
}

/** A safetensors header is JSON too, but behind its length. */
function startsAsJson(head: Buffer): boolean {
  return head[0] === 0x7b && !isSafetensors(head);
}
