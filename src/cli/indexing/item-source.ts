import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type CoverrankError, failure, isFailure } from '../../core/errors.ts';
import { parseItem } from '../../indexing/item.ts';
import { type BadLine, type Line, parseJsonObject, readAllLines } from '../lines.ts';

export type SourceFormat = 'ndjson' | 'tsv' | 'folder';

/** An item as `POST /index` takes it, or with `file` (a path) in place of its picture. */
export type ItemJson = Readonly<Record<string, unknown>>;

export interface SourceItem {
  /** How many items of the source come before it. */
  readonly position: number;
  /** How much of `ItemSource.size` is behind once this item is. */
  readonly endsAt: number;
  /** As the source has it, for the file of rejected items; the number of a line that cannot be read. */
  readonly origin: unknown;
  /** Ready to be sent, or why it cannot be. */
  readonly content: { readonly item: ItemJson } | { readonly error: CoverrankError };
}

export interface ItemSource {
  readonly format: SourceFormat;
  /** Bytes of a file; pictures of a folder. */
  readonly size: number;
  /** Changes when the source does: positions hold only as long as it is the same. */
  readonly fingerprint: string;
  items(from: number): AsyncGenerator<SourceItem>;
}

export interface SourceOptions {
  readonly format?: SourceFormat | undefined;
  /** Folder that paths of pictures are relative to and must stay in; by default the one the source lies in. */
  readonly root?: string | undefined;
  readonly maxImageBytes: number;
}

const PICTURE = /\.(jpe?g|png|webp)$/i;
/** Room for the rest of an item around a picture in base64. */
const LINE_EXTRA_BYTES = 64 * 1024;

/** Opens a file or folder of items. Fails with `invalid_request` when there is none. */
export async function openItemSource(path: string, options: SourceOptions): Promise<ItemSource> {
  const found = await stat(path).catch((cause: unknown) => {
    throw failure('invalid_request', `There is no file or folder ${path}.`, { cause });
  });
  const format = options.format ?? guessFormat(path, found.isDirectory());
  if ((format === 'folder') !== found.isDirectory()) {
    throw failure('invalid_request', `${path} is ${found.isDirectory() ? 'a folder' : 'not a folder'}.`);
  }
  const root = resolve(options.root ?? (format === 'folder' ? path : dirname(path)));
  if (format === 'folder') return openFolder(path, root, options.maxImageBytes);

  const parse = format === 'tsv' ? parseTsvLine : parseNdjsonLine;
  return {
    format,
    size: found.size,
    fingerprint: `${found.size} ${found.mtimeMs}`,
    async *items(from) {
      let position = 0;
      const maxLineBytes = Math.ceil(options.maxImageBytes / 3) * 4 + LINE_EXTRA_BYTES;
      for await (const line of readAllLines(createReadStream(path), maxLineBytes)) {
        if ('text' in line && line.text.trim() === '') continue;
        if (position >= from) yield await readLine(line, position, parse, root, options.maxImageBytes);
        position += 1;
      }
    },
  };
}

function guessFormat(path: string, isFolder: boolean): SourceFormat {
  if (isFolder) return 'folder';
  return /\.(tsv|txt)$/i.test(path) ? 'tsv' : 'ndjson';
}

async function openFolder(folder: string, root: string, maxImageBytes: number): Promise<ItemSource> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && PICTURE.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  return {
    format: 'folder',
    size: files.length,
    fingerprint: createHash('sha256').update(files.join('\0')).digest('hex'),
    async *items(from) {
      for (const [position, file] of files.entries()) {
        if (position < from) continue;
        const id = file.slice(0, -extname(file).length).replaceAll(sep, '/');
        const item = { id, file: relative(root, resolve(folder, file)) };
        const content = await prepare(item, root, maxImageBytes);
        // The file of rejected items lies beside the folder, so a path in it starts with the folder's name.
        const origin = { id, file: relative(dirname(resolve(folder)), resolve(folder, file)) };
        yield { position, endsAt: position + 1, origin, content };
      }
    },
  };
}

async function readLine(
  line: Line | BadLine,
  position: number,
  parse: (line: Line) => ItemJson,
  root: string,
  maxImageBytes: number,
): Promise<SourceItem> {
  const place = { position, endsAt: line.endByte };
  if ('error' in line) return { ...place, origin: { line: line.number }, content: { error: line.error } };
  let item: ItemJson;
  try {
    item = parse(line);
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { ...place, origin: line.text, content: { error } };
  }
  return { ...place, origin: item, content: await prepare(item, root, maxImageBytes) };
}

/** An item a line; the file of rejected items, which wraps each in `{"item": …}`, is such a source too. */
function parseNdjsonLine(line: Line): ItemJson {
  const json = parseJsonObject(line);
  const { item } = json;
  return typeof item === 'object' && item !== null && 'error' in json ? (item as ItemJson) : json;
}

/** id, picture (an http address or a path) and, if there is one, title. */
function parseTsvLine({ number, text }: Line): ItemJson {
  const [id = '', picture = '', title, ...more] = text.split('\t');
  if (id === '' || picture === '' || more.length > 0) {
    throw failure('invalid_request', `Line ${number} must be: id, picture and title, with a tab between each.`);
  }
  const content = /^https?:\/\//i.test(picture) ? { image_url: picture } : { file: picture };
  return title === undefined || title === '' ? { id, ...content } : { id, ...content, title };
}

/** Reads the picture that `file` names, and checks the item as the service would. */
async function prepare(origin: ItemJson, root: string, maxImageBytes: number): Promise<SourceItem['content']> {
  try {
    const { file, ...rest } = origin;
    const item = file === undefined ? origin : { ...rest, image_base64: await readPicture(file, root, maxImageBytes) };
    const parsed = parseItem(item, { maxImageBytes });
    return 'error' in parsed ? { error: parsed.error } : { item };
  } catch (error) {
    if (isFailure(error)) return { error };
    throw error;
  }
}

/** A list of items may come from elsewhere: what it names beyond its own folder is not sent anywhere. */
async function readPicture(file: unknown, root: string, maxImageBytes: number): Promise<string> {
  if (typeof file !== 'string' || file === '') throw failure('invalid_request', '/file must be a path.');
  const path = resolve(root, file);
  const inside = relative(root, path);
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw failure('invalid_request', `${file} lies outside ${root}; --root names another folder.`);
  }
  let bytes: Buffer;
  try {
    if ((await stat(path)).size > maxImageBytes) {
      throw failure('too_large', `${file} has more than ${maxImageBytes} bytes.`);
    }
    bytes = await readFile(path);
  } catch (error) {
    if (isFailure(error)) throw error;
    throw failure('invalid_request', `${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (bytes.length === 0) throw failure('undecodable_image', `${file} is empty.`);
  return bytes.toString('base64');
}
