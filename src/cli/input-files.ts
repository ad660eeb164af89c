import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { failure } from '../core/errors.ts';
import { type Line, parseJsonObject, readLines } from './lines.ts';
import { type FloatArray, parseNpy } from './npy.ts';

export type TextFormat = 'lines' | 'ndjson';

const MAX_TEXT_LINE_BYTES = 1024 * 1024;

/** Texts of the files, or of stdin where there are none, in order. An empty line is an empty text. */
export async function* readTexts(files: readonly string[], format: TextFormat): AsyncGenerator<string> {
  const sources = files.length > 0 ? files.map(openText) : [process.stdin];
  for (const source of sources) {
    for await (const line of readLines(source, MAX_TEXT_LINE_BYTES)) {
      if (format === 'lines') yield line.text;
      else if (line.text.trim() !== '') yield textField(line);
    }
  }
}

/** A whole file. Fails with `invalid_request`, naming it, when it cannot be read. */
export async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** Preprocessed pictures: float32 [n, 3, size, size]. */
export async function readPixels(file: string, size: number): Promise<FloatArray & { readonly count: number }> {
  const pixels = parseNpy(await readInput(file), file);
  const [count = 0, ...rest] = pixels.shape;
  if (pixels.shape.length !== 4 || rest.join() !== [3, size, size].join()) {
    throw failure('invalid_request', `${file} has shape [${pixels.shape}]; the bundle needs [n, 3, ${size}, ${size}].`);
  }
  return { ...pixels, count };
}

async function* openText(file: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(file) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function textField(line: Line): string {
  const { text } = parseJsonObject(line);
  if (typeof text !== 'string') throw failure('invalid_request', `Line ${line.number} has no string "text".`);
  return text;
}

function unreadable(file: string, cause: unknown): Error {
  const { code } = cause as NodeJS.ErrnoException;
  const reason = code === 'ENOENT' ? 'there is no such file' : (code ?? String(cause));
  return failure('invalid_request', `${file} cannot be read: ${reason}.`, { cause });
}
