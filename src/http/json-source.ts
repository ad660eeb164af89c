import { failure } from '../core/errors.ts';

/**
 * How large bodies come in. The key and the rate are checked first, then the body is read, and only /index takes its place
 * at the gate before that. Parsing (UTF-8, JSON, base64) is done where it is called up to 256 KiB and in the route's own
 * thread beyond. What comes back is small but for the bytes of pictures, which move without being copied: fields that are
 * not allowed are cut down to what still makes them refused. So the schema is always checked on the main thread, by
 * Fastify, after parsing:
 *
 *   /embed, /score       (pictures/) pictures are decoded while parsing and stand as bytes or as what is wrong with them,
 *                        each told in its place by the handler; anything but a string there is refused at once. Then the
 *                        schema of the rest, lengths in code points, the gate.
 *   /index, JSON         (routes/index/) each item is checked and decoded while parsing and stands as an item or as what is
 *                        wrong with it; the schema sees the envelope alone.
 *   /index, NDJSON       the same line by line in the handler, while outcomes are already sent; there is no schema.
 *   /judgements/import   (routes/judgements/) the file is taken out as bytes, the schema sees an outline; after the gate the
 *                        rows are read, always in the thread.
 */

/** A JSON text in UTF-8 that may hold pictures. Whoever hands it to a parser has no use of the bytes afterwards. */
export interface JsonSource {
  readonly bytes: Uint8Array;
  /** Of one picture. */
  readonly maxImageBytes: number;
}

/** Of so many bytes parsing takes a millisecond or two; a body may have a hundred times as many. */
const SMALL_BYTES = 256 * 1024;

/** Whether it may be parsed on the thread that answers everybody else too. */
export function isSmall({ bytes }: Pick<JsonSource, 'bytes'>): boolean {
  return bytes.length <= SMALL_BYTES;
}

/** The source with bytes that may move to another thread, as argument and transfer list of a call. */
export function movable({ bytes, maxImageBytes }: JsonSource): [JsonSource, ArrayBuffer[]] {
  const { buffer, byteLength } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  const own = isWhole ? buffer : bytes.slice().buffer;
  return [{ bytes: new Uint8Array(own), maxImageBytes }, [own as ArrayBuffer]];
}

/** Throws `invalid_request` for what is not JSON in UTF-8; `what` begins the sentence that says so. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw failure('invalid_request', `${what} is not valid UTF-8.`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure('invalid_request', `${what} is not valid JSON.`, { cause });
  }
}
