import { type CoverrankError, failure } from '../core/errors.ts';

/** One line of a text file. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to and including this line. */
  readonly endByte: number;
}

const NEWLINE = 0x0a;
const BYTE_ORDER_MARK = '\ufeff';

/** A line that cannot be read: too long, or not UTF-8. */
export interface BadLine extends Omit<Line, 'text'> {
  readonly error: CoverrankError;
}

/**
 * Lines of UTF-8 text, ended by \n or \r\n and by nothing else: JSON may hold a bare U+2028, which node:readline takes
 * for the end of a line. Fails with `too_large` on a longer line than `maxBytes` and with `invalid_request` on bytes
 * that are not UTF-8.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  for await (const line of readAllLines(chunks, maxBytes)) {
    if ('error' in line) throw line.error;
    yield line;
  }
}

/**
 * Like `readLines`, but a line that cannot be read stands as an error in its place and the rest goes on. What is too long
 * is dropped as it comes, so that memory stays bounded.
 */
export async function* readAllLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line | BadLine> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let number = 0;
  let endByte = 0;

  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size > maxBytes) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  const finish = (ending: number): Line | BadLine => {
    number += 1;
    endByte += size + ending;
    const content =
      size > maxBytes
        ? { error: failure('too_large', `Line ${number} has more than ${maxBytes} bytes.`) }
        : decodeLine(Buffer.concat(parts, size), number);
    parts = [];
    size = 0;
    return { number, endByte, ...content };
  };

  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, to));
      yield finish(1);
      from = to + 1;
    }
    add(chunk.subarray(from));
  }
  if (size > 0) yield finish(0);
}

function decodeLine(bytes: Buffer, number: number): Pick<Line, 'text'> | Pick<BadLine, 'error'> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    return { error: failure('invalid_request', `Line ${number} is not UTF-8.`, { cause }) };
  }
  const unmarked = number === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  return { text: unmarked.endsWith('\r') ? unmarked.slice(0, -1) : unmarked };
}

/** The JSON object on a line. Fails with `invalid_request`, naming the line. */
export function parseJsonObject({ number, text }: Line): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw failure('invalid_request', `Line ${number} is not valid JSON.`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw failure('invalid_request', `Line ${number} is not a JSON object.`);
  }
  return value as Record<string, unknown>;
}
