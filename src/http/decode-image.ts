import { failure } from '../core/errors.ts';

/**
 * The bytes of a picture given in base64. Strict, since Node's own decoder forgives a wrong alphabet and cut text: what
 * does not encode back to itself is refused.
 */
export function decodeImage(base64: string, path: string, maxBytes: number): Uint8Array {
  if (base64.length > Math.ceil(maxBytes / 3) * 4) throw tooLarge(maxBytes);
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) {
    const errors = [{ path, message: 'must be standard base64 with padding, without a data: prefix' }];
    throw failure('invalid_request', 'The request does not have the right form.', { errors });
  }
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

function tooLarge(maxBytes: number) {
  return failure('too_large', `A picture has more than ${maxBytes} bytes.`);
}
