import { open } from 'node:fs/promises';

/** Small enough to stay in a core's cache between being read and being summed up. */
const CHUNK_BYTES = 1 << 20;

/**
 * Gives `take` every byte of a file in order and returns how many there were. While it is busy with one piece a thread
 * of Node's pool reads the next. A piece is overwritten later: use it at once.
 */
export async function readThrough(path: string, take: (chunk: Buffer) => void): Promise<number> {
  const file = await open(path);
  try {
    let at = 0;
    const read = (buffer: Buffer) => file.read(buffer, 0, CHUNK_BYTES, at);
    let coming = read(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    let spare: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    for (;;) {
      const { bytesRead, buffer } = await coming;
      if (bytesRead === 0) return at;
      at += bytesRead;
      coming = read(spare);
      take(buffer.subarray(0, bytesRead));
      spare = buffer;
    }
  } finally {
    await file.close();
  }
}
