import { failure } from '../core/errors.ts';

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
