import { failure, isFailure } from '../../core/errors.ts';
import { receiveFailure, type SentFailure, sendFailure } from '../../core/sent-failure.ts';
import { parseBase64 } from '../../indexing/item.ts';
import { type JsonSource, parseJson } from '../json-source.ts';
import { LIMITS } from '../limits.ts';

/** What stands in a parsed body where the request had a picture in base64. */
export type Picture = { readonly bytes: Uint8Array } | { readonly problem: SentFailure };

/** The decoded picture. Throws what was wrong with it. */
export function bytesOf(picture: Picture): Uint8Array {
  if ('problem' in picture) throw receiveFailure(picture.problem);
  return picture.bytes;
}

const PICTURE_FIELD = 'image_base64';
const PICTURES_FIELD = 'images_base64';
/** Of a body: its fields, the list in one of them, the list's entries, their fields. */
const DEEPEST = 4;
/** More than any field of /embed and /score may have, so that what is cut down is refused just as the whole would be. */
const MOST_ENTRIES = 1 + Math.max(LIMITS.scorePairs, LIMITS.embedTexts, LIMITS.embedImages);
const MOST_FIELDS = 8;
const MOST_CHARACTERS = 4 * LIMITS.queryCharacters;
/** Fields of texts whose length counts without the white space around them. */
const TRIMMED_FIELDS = ['query', 'texts'];

/**
 * A body of /embed or /score with its pictures decoded, small enough to be validated wherever it is: the rest is cut down
 * to a little more than is allowed. Throws `invalid_request` for what is not JSON in UTF-8, and for anything but a string in
 * the place of a picture: no schema looks there any more once the body is parsed.
 */
export function parsePictureBody({ bytes, maxImageBytes }: JsonSource): unknown {
  if (bytes.length === 0) throw failure('invalid_request', 'The body is empty.');
  return lift(parseJson(bytes, 'The body'), '', '', DEEPEST);

  function lift(value: unknown, field: string, path: string, depth: number): unknown {
    if (field === PICTURE_FIELD) return pictureOf(value, path);
    if (Array.isArray(value)) {
      if (depth === 0) return [];
      const entryField = field === PICTURES_FIELD ? PICTURE_FIELD : field;
      return value.slice(0, MOST_ENTRIES).map((entry, i) => lift(entry, entryField, `${path}/${i}`, depth - 1));
    }
    if (typeof value === 'string') return TRIMMED_FIELDS.includes(field) ? cutText(value) : cut(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth === 0) return {};
    const fields = Object.entries(value).slice(0, MOST_FIELDS);
    return Object.fromEntries(
      fields.map(([name, inner]) => [cut(name), lift(inner, name, `${path}/${name}`, depth - 1)]),
    );
  }

  function pictureOf(value: unknown, path: string): Picture {
    if (typeof value !== 'string') {
      const errors = [{ path, message: 'must be string' }];
      throw failure('invalid_request', 'The request does not have the right form.', { errors });
    }
    try {
      if (value !== '') return { bytes: parseBase64(value, maxImageBytes, path) };
      const errors = [{ path, message: 'must be a picture in base64' }];
      throw failure('invalid_request', `${path} must be a picture in base64.`, { errors });
    } catch (error) {
      if (isFailure(error)) return { problem: sendFailure(error) };
      throw error;
    }
  }
}

function cut(text: string): string {
  return text.slice(0, MOST_CHARACTERS);
}

/** The last character stays, so that what is left does not end in white space that would be trimmed from it. */
function cutText(text: string): string {
  if (text.length <= MOST_CHARACTERS) return text;
  const trimmed = text.trim();
  return trimmed.length <= MOST_CHARACTERS ? trimmed : trimmed.slice(0, MOST_CHARACTERS - 1) + trimmed.slice(-1);
}
