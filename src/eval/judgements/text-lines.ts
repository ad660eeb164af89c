import { failure } from '../../core/errors.ts';

export interface TextLine {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/**
 * The lines of a UTF-8 file that are not empty, without a byte order mark and with \n or \r\n as the end of a line.
 * Nothing else is trimmed: queries may end in spaces, and are other queries then. Fails with `invalid_request` on bytes
 * that are not UTF-8.
 */
export function textLines(bytes: Uint8Array, name: string): TextLine[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw failure('invalid_request', `${name} is not UTF-8 text.`, { cause });
  }
  return text.split('\n').flatMap((line, position) => {
    const content = line.endsWith('\r') ? line.slice(0, -1) : line;
    return content.trim() === '' ? [] : [{ number: position + 1, text: content }];
  });
}
