import { type CoverrankError, failure } from '../../../core/errors.ts';

const NEWLINE = 0x0a;

/** One line of an NDJSON stream: its value, or why it has none. */
export type Line = { readonly value: unknown } | { readonly error: CoverrankError };

/**
 * Lines of a byte stream in any chunking. A line of more than `maxBytes` is dropped as it comes, so that memory stays
 * bounded, and stands as an error in its place; so does one that is not UTF-8 or not JSON. Empty lines are skipped.
 */
export async function* readNdjson(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let bytes = 0;

  const add = (part: Buffer): void => {
    bytes += part.length;
    if (bytes <= maxBytes) parts.push(part);
    else parts = [];
  };
  const endLine = (): Line | undefined => {
    const line = bytes > maxBytes ? { error: tooLong(maxBytes) } : parseLine(Buffer.concat(parts));
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

function parseLine(bytes: Buffer): Line | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.trim() === '' ? undefined : { value: JSON.parse(text) };
  } catch (cause) {
    return { error: failure('invalid_request', 'The line is not valid JSON in UTF-8.', { cause }) };
  }
}

function tooLong(maxBytes: number): CoverrankError {
  return failure('too_large', `The line has more than ${maxBytes} bytes.`);
}
