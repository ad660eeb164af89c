import { type FileHandle, open } from 'node:fs/promises';
import { failure } from '../../core/errors.ts';

/** A file that is read by position. */
export interface RandomAccessFile {
  readonly size: number;
  /** `length` bytes from `start`. Rejects with `invalid_checkpoint` when the file ends before. */
  read(start: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** One read call is limited to 2 GiB by the operating system. */
const MAX_READ_BYTES = 1 << 30;

/** Rejects with `invalid_checkpoint` when there is no such file. */
export async function openFile(path: string): Promise<RandomAccessFile> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw failure('invalid_checkpoint', `The checkpoint ${path} cannot be opened (${error.code}).`, { cause: error });
  });
  try {
    const { size } = await handle.stat();
    return {
      size,
      read: (start, length) => {
        if (start + length > size) return Promise.reject(truncated());
        return readRange(handle, start, length);
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Reads exactly `length` bytes; the caller has made sure that the file should hold them. */
export async function readRange(handle: FileHandle, start: number, length: number): Promise<Buffer> {
  // Not from the pool: typed arrays are laid over it, which wants an aligned start.
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const wanted = Math.min(length - filled, MAX_READ_BYTES);
    const { bytesRead } = await handle.read(bytes, filled, wanted, start + filled);
    if (bytesRead === 0) throw truncated();
    filled += bytesRead;
  }
  return bytes;
}

function truncated(): Error {
  return failure('invalid_checkpoint', 'The checkpoint is truncated: it ends before the values it should hold.');
}
