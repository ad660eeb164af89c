import { type Static, Type } from 'typebox';
import Schema from 'typebox/schema';
import { type CoverrankError, type FieldError, failure, isFailure } from '../core/errors.ts';
import type { Attributes } from '../core/types.ts';

/** One item of a re-indexing job, checked for form. */
export type IndexItem = DeleteItem | UpsertItem;

export interface DeleteItem {
  readonly id: string;
  readonly delete: true;
}

export interface UpsertItem {
  readonly id: string;
  readonly source: { readonly url: string } | { readonly bytes: Uint8Array } | { readonly embedding: Float32Array };
  readonly title: string | undefined;
  readonly attributes: Attributes;
  /** Skip inference when the same image bytes were indexed by the same bundle before. */
  readonly ifChanged: boolean;
}

/** An item that failed its checks, kept in place so that outcomes stay in request order. */
export interface RejectedItem {
  readonly id: string;
  readonly error: CoverrankError;
}

/** Bounds of one item that the schema cannot say by itself, because they count bytes and not characters. */
const ITEM_LIMITS = {
  idBytes: 256,
  urlCharacters: 8192,
  titleBytes: 4096,
  attributesBytes: 8 * 1024,
  imageBytes: 10 * 1024 * 1024,
  embeddingNumbers: 8192,
} as const;

const AttributeValue = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Array(Type.String())]);
const ATTRIBUTE_FORMS = 'must be a string, finite number, boolean or list of strings';

/** One item of `POST /index`, as JSON. Exactly one of `image_url`, `image_base64`, `embedding` and `delete` is given. */
export const ItemSchema = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: ITEM_LIMITS.idBytes, description: 'At most 256 bytes of UTF-8.' }),
    image_url: Type.Optional(
      Type.String({ minLength: 1, maxLength: ITEM_LIMITS.urlCharacters, description: 'A public http(s) address.' }),
    ),
    image_base64: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'JPEG, PNG or WebP bytes in standard base64 with padding, without a `data:` prefix.',
      }),
    ),
    embedding: Type.Optional(
      Type.Array(Type.Number(), {
        minItems: 1,
        maxItems: ITEM_LIMITS.embeddingNumbers,
        description: "A vector of the bundle's dimension, normalised here; such a cover is recalled but not reranked.",
      }),
    ),
    delete: Type.Optional(Type.Literal(true)),
    title: Type.Optional(Type.String({ description: 'At most 4 KiB.' })),
    attributes: Type.Optional(
      Type.Record(Type.String(), AttributeValue, { description: 'What filters look at; at most 8 KiB as JSON.' }),
    ),
    if_changed: Type.Optional(
      Type.Boolean({ default: true, description: 'False: run the model again although the picture is the same.' }),
    ),
  },
  { additionalProperties: false, title: 'IndexItem' },
);

type ItemJson = Static<typeof ItemSchema>;

const CONTENT_FIELDS = ['image_url', 'image_base64', 'embedding', 'delete'] as const;

/**
 * Checks one parsed JSON value for form. What is wrong with it comes back as a RejectedItem with `invalid_request` (or
 * `too_large` for a picture above `maxImageBytes`), never as an exception; its id is "" when the item has none that can
 * be read.
 */
export function parseItem(json: unknown, limits: { readonly maxImageBytes?: number } = {}): IndexItem | RejectedItem {
  try {
    const item = checkSchema(json);
    checkBytes(item);
    if (contentOf(item) === 'delete') return parseDelete(item);
    return {
      id: item.id,
      source: parseSource(item, limits.maxImageBytes ?? ITEM_LIMITS.imageBytes),
      title: item.title,
      attributes: parseAttributes(item.attributes),
      ifChanged: item.if_changed ?? true,
    };
  } catch (error) {
    if (isFailure(error)) return { id: readableId(json), error };
    throw error;
  }
}

/** The rejected item that stands for a line or element that is not even JSON. */
export function rejectedItem(error: CoverrankError): RejectedItem {
  return { id: '', error };
}

function checkSchema(json: unknown): ItemJson {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('', 'must be an object');
  if (Schema.Check(ItemSchema, json)) return json;
  // An unknown field is reported twice, first as a value that no schema allows.
  const [, errors] = Schema.Errors(ItemSchema, json);
  const problem = errors.find((error) => error.keyword !== 'boolean');
  const unknown = (problem?.params as { additionalProperties?: readonly string[] } | undefined)?.additionalProperties;
  const [field] = unknown ?? [];
  if (field !== undefined) throw invalid(`/${pointerToken(field)}`, 'is not a field of an item');
  const path = problem?.instancePath ?? '';
  // Of a choice the first branch is told, as if it were the only one.
  const message = path.startsWith('/attributes/') ? ATTRIBUTE_FORMS : problem?.message;
  throw invalid(path, message ?? 'is not valid');
}

function checkBytes(item: ItemJson): void {
  if (Buffer.byteLength(item.id) > ITEM_LIMITS.idBytes) throw invalid('/id', 'must be at most 256 bytes long');
  // A lone surrogate has no UTF-8: on disk it would turn into another id.
  if (!item.id.isWellFormed()) throw invalid('/id', 'must be well-formed Unicode');
  if (Buffer.byteLength(item.title ?? '') > ITEM_LIMITS.titleBytes) throw invalid('/title', 'must be at most 4 KiB');
}

/** Which of the content fields the item carries. */
function contentOf(item: ItemJson): (typeof CONTENT_FIELDS)[number] {
  const [content, ...others] = CONTENT_FIELDS.filter((field) => item[field] !== undefined);
  if (content === undefined || others.length > 0) {
    throw invalid('', 'must have exactly one of image_url, image_base64, embedding and delete');
  }
  return content;
}

function parseDelete(item: ItemJson): IndexItem {
  for (const field of ['title', 'attributes', 'if_changed'] as const) {
    if (item[field] !== undefined) throw invalid(`/${field}`, 'has no meaning in an item that deletes');
  }
  return { id: item.id, delete: true };
}

function parseSource(item: ItemJson, maxImageBytes: number): UpsertItem['source'] {
  if (item.image_url !== undefined) return { url: parseUrl(item.image_url) };
  if (item.image_base64 !== undefined) return { bytes: parseBase64(item.image_base64, maxImageBytes) };
  return { embedding: Float32Array.from(item.embedding ?? []) };
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid('/image_url', 'must be an http or https address');
  }
  return text;
}

/**
 * The bytes of a picture given in base64; `path` is where it stands in the request. Strict: standard alphabet, padded,
 * no white space, no stray bits. Node's own decoder forgives all of these.
 */
export function parseBase64(text: string, maxBytes: number, path = '/image_base64'): Uint8Array {
  if (text.startsWith('data:')) {
    throw invalid(path, 'must be bare base64: leave out everything up to the comma of a data: address');
  }
  if (text.length > Math.ceil(maxBytes / 3) * 4) throw tooLarge(maxBytes);
  const bytes = Buffer.from(text, 'base64');
  if (!isStrictBase64(text, bytes)) throw invalid(path, 'must be standard base64 with padding');
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  return bytes;
}

/**
 * Whether `bytes` is what the text stands for and the text the one way to write it. Told without encoding the bytes again,
 * which for large pictures takes longer than decoding: skipped characters leave fewer bytes than the length calls for, and
 * stray bits can only be in the last four characters. Beyond ASCII Node takes some characters for others.
 */
function isStrictBase64(text: string, bytes: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const lastBytes = bytes.subarray(bytes.length - (3 - padding));
  return (
    text.length % 4 === 0 &&
    bytes.length === (text.length / 4) * 3 - padding &&
    Buffer.byteLength(text) === text.length &&
    !text.includes('-') &&
    !text.includes('_') &&
    lastBytes.toString('base64') === text.slice(-4)
  );
}

function parseAttributes(attributes: ItemJson['attributes']): Attributes {
  if (attributes === undefined) return {};
  if (Object.hasOwn(attributes, '__proto__')) throw invalid('/attributes/__proto__', 'is not a name for an attribute');
  if (Buffer.byteLength(JSON.stringify(attributes)) > ITEM_LIMITS.attributesBytes) {
    throw invalid('/attributes', 'must be at most 8 KiB as JSON');
  }
  return attributes;
}

function readableId(json: unknown): string {
  if (typeof json !== 'object' || json === null || !Object.hasOwn(json, 'id')) return '';
  const { id } = json as { id: unknown };
  return typeof id === 'string' && Buffer.byteLength(id) <= ITEM_LIMITS.idBytes ? id : '';
}

function invalid(path: string, message: string): CoverrankError {
  const error: FieldError = { path, message };
  return failure('invalid_request', `${path === '' ? 'The item' : path} ${message}.`, { errors: [error] });
}

function tooLarge(maxBytes: number): CoverrankError {
  return failure('too_large', `The image has more than ${maxBytes} bytes.`);
}

function pointerToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
