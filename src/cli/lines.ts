import { failure } from '../core/errors.ts';

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

/**
 * Lines of UTF-8 text, ended by \n or \r\n and by nothing else: JSON may hold a bare U+2028, which node:readline takes
 * for the end of a line. Fails with `too_large` on a longer line than `maxBytes` and with `invalid_request` on bytes
 * that are not UTF-8.
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let number = 0;
  let endByte = 0;

  const add = (part: Uint8Array): void => {
    size += part.length;
    if (size > maxBytes) throw failure('too_large', `Line ${number + 1} has more than ${maxBytes} bytes.`);
    if (part.length > 0) parts.push(part);
  };
  const finish = (ending: number): Line => {
    number += 1;
    endByte += size + ending;
    const text = decodeLine(Buffer.concat(parts, size), number);
    parts = [];
    size = 0;
    return { number, text, endByte };
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

function decodeLine(bytes: Buffer, number: number): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw failure('invalid_request', `Line ${number} is not UTF-8.`, { cause });
  }
  const unmarked = number === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  return unmarked.endsWith('\r') ? unmarked.slice(0, -1) : unmarked;
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
