import { failure } from '../../core/errors.ts';
import { type CountedProblem, createRowProblems } from './row-problems.ts';
import { textLines } from './text-lines.ts';

/**
 * - `json`: `{"text", "image_path"}` a line (CCMB's IQR and ICR)
 * - `flickr`: `image#n` and caption, a tab between them (Flickr30k, Flickr30k-CNA)
 * - `coco`: one document with `images` and `annotations` (COCO captions)
 * - `karpathy`: one document of `images` with their `sentences` and `split` (Karpathy and Fei-Fei's splits)
 */
export type CaptionFormat = 'json' | 'flickr' | 'coco' | 'karpathy';

/** Pictures with the texts that describe them: I images, T texts. */
export interface Captions {
  readonly format: CaptionFormat;
  /** [I], file names without folders. */
  readonly images: readonly string[];
  /** [T] */
  readonly texts: readonly string[];
  /** [T]: the image of each text. */
  readonly imageOf: Int32Array;
  readonly problems: readonly CountedProblem[];
}

interface CaptionsBuilder {
  add(image: string, text: string): void;
  finish(format: CaptionFormat, problems: readonly CountedProblem[]): Captions;
}

/**
 * Reads an annotation file, of which only `split` where it names splits. Rows that cannot be used are counted; fails
 * with `invalid_request` when none can.
 */
export function readCaptions(bytes: Uint8Array, name: string, split?: string): Captions {
  const document = wholeDocument(bytes);
  const captions = document === undefined ? readRows(bytes, name) : readDocument(document, name, split);
  if (captions.texts.length === 0) throw failure('invalid_request', `${name} holds no usable caption.`);
  return captions;
}

/** The images of one part with their texts, and where both stood in the whole. */
export function selectImages(captions: Captions, from: number, to: number) {
  const texts: number[] = [];
  captions.imageOf.forEach((image, text) => {
    if (image >= from && image < to) texts.push(text);
  });
  const images = captions.images.slice(from, to);
  return {
    texts: Int32Array.from(texts),
    captions: {
      ...captions,
      images,
      texts: texts.map((text) => captions.texts[text] ?? ''),
      imageOf: Int32Array.from(texts, (text) => (captions.imageOf[text] ?? 0) - from),
    } satisfies Captions,
  };
}

function createCaptionsBuilder(): CaptionsBuilder {
  const images = new Map<string, number>();
  const texts: string[] = [];
  const imageOf: number[] = [];
  return {
    add(image, text) {
      const number = images.get(image) ?? images.size;
      images.set(image, number);
      texts.push(text);
      imageOf.push(number);
    },
    finish: (format, problems) => ({
      format,
      images: [...images.keys()],
      texts,
      imageOf: Int32Array.from(imageOf),
      problems,
    }),
  };
}

/** A file that is one JSON document, not one a line. */
function wholeDocument(bytes: Uint8Array): { images: unknown[]; annotations?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null && 'images' in value && Array.isArray(value.images)
      ? (value as { images: unknown[] })
      : undefined;
  } catch {
    return undefined;
  }
}

function readRows(bytes: Uint8Array, name: string): Captions {
  const lines = textLines(bytes, name);
  const format = lines[0]?.text.trimStart().startsWith('{') ? 'json' : 'flickr';
  const problems = createRowProblems();
  const builder = createCaptionsBuilder();
  for (const { number, text } of lines) {
    const row = format === 'json' ? readJsonRow(text) : readFlickrRow(text);
    if (typeof row === 'string') problems.add(row, number);
    else builder.add(row.image, row.text);
  }
  return builder.finish(format, problems.list());
}

function readFlickrRow(line: string) {
  const [image = '', text = '', ...more] = line.split('\t');
  if (more.length > 0) return 'extra_columns' as const;
  const [id = ''] = image.split('#');
  if (id.trim() === '' || text.trim() === '') return 'missing_columns' as const;
  // Flickr30k names the file, Flickr30k-CNA only its number.
  return { image: id.includes('.') ? id : `${id}.jpg`, text: text.trim() };
}

function readJsonRow(line: string) {
  try {
    const { text, image_path: path } = Object(JSON.parse(line));
    if (typeof text !== 'string' || text.trim() === '' || typeof path !== 'string') return 'missing_columns' as const;
    const image = path.split('/').at(-1) ?? '';
    return image === '' ? ('missing_columns' as const) : { image, text };
  } catch {
    return 'invalid_json' as const;
  }
}

function readDocument(
  { images, annotations }: { images: unknown[]; annotations?: unknown },
  name: string,
  split: string | undefined,
): Captions {
  const builder = createCaptionsBuilder();
  const isCoco = Array.isArray(annotations);
  try {
    if (isCoco) addCoco(builder, images as CocoImage[], annotations as CocoAnnotation[]);
    else addKarpathy(builder, images as KarpathyImage[], split);
  } catch (cause) {
    throw failure('invalid_request', `${name} looks like an annotation file but cannot be read as one.`, { cause });
  }
  return builder.finish(isCoco ? 'coco' : 'karpathy', []);
}

interface CocoImage {
  readonly id: number | string;
  readonly file_name: string;
}

interface CocoAnnotation {
  readonly image_id: number | string;
  readonly caption: string;
}

interface KarpathyImage {
  readonly filename: string;
  readonly split?: string;
  readonly sentences: readonly { readonly raw: string }[];
}

/** Images in the order of their list, not of their annotations: folds are cut from it. */
function addCoco(builder: CaptionsBuilder, images: readonly CocoImage[], annotations: readonly CocoAnnotation[]): void {
  const ofImage = new Map(images.map(({ id }): [number | string, string[]] => [id, []]));
  for (const { image_id: id, caption } of annotations) ofImage.get(id)?.push(caption.trim());
  for (const { id, file_name: file } of images) {
    for (const caption of ofImage.get(id) ?? []) builder.add(file, caption);
  }
}

function addKarpathy(builder: CaptionsBuilder, images: readonly KarpathyImage[], split: string | undefined): void {
  for (const image of images) {
    if (split !== undefined && image.split !== split) continue;
    for (const { raw } of image.sentences) builder.add(image.filename, raw.trim());
  }
}
