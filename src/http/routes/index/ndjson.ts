import { type CoverrankError, failure } from '../../../core/errors.ts';

const NEWLINE = 0x0a;
/** What JSON allows around a value: tab, line feed, carriage return, space. */
const WHITE_SPACE: ReadonlySet<number> = new Set([0x09, NEWLINE, 0x0d, 0x20]);

/** One line of a stream: its bytes, or why there are none. */
export type Line = { readonly bytes: Buffer } | { readonly error: CoverrankError };

/**
 * Lines of a byte stream in any chunking. A line of more than `maxBytes` is dropped as it comes, so that memory stays
 * bounded, and stands as an error in its place. Empty lines are skipped.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let bytes = 0;

  const add = (part: Buffer): void => {
    bytes += part.length;
    if (bytes <= maxBytes) parts.push(part);
    else parts = [];
  };
  const endLine = (): Line | undefined => {
    const line = bytes > maxBytes ? { error: tooLong(maxBytes) } : lineOf(Buffer.concat(parts));
    parts = [];
    bytes = 0;
    return line;
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = endLine();
      if (line !== undefined) yield line;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
  const last = endLine();
  if (last !== undefined) yield last;
}

function lineOf(bytes: Buffer): Line | undefined {
  return bytes.every((byte) => WHITE_SPACE.has(byte)) ? undefined : { bytes };
}

function tooLong(maxBytes: number): CoverrankError {
  return failure('too_large', `The line has more than ${maxBytes} bytes.`);
}
