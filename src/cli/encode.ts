import { Argument, Command, Option } from 'commander';
import { isFailure } from '../core/errors.ts';
import type { ExactFeatures, OfflineModel } from '../services.ts';
import { EXIT } from './exit-codes.ts';
import { readInput, readPixels, readTexts, type TextFormat } from './input-files.ts';
import { note, print, printJson } from './output.ts';
import { configOf, isJson, withSettings } from './settings.ts';

interface EncodeFlags {
  readonly inputFormat: TextFormat;
  readonly pixels?: string;
  readonly tokens?: true;
}

/** One line of the answer; `tokens` are a text's ids, or a picture's tokens [count][width]. */
interface Encoded {
  readonly input: string;
  readonly embedding: Float32Array;
  readonly more: Readonly<Record<string, unknown>>;
}

const TEXTS_AT_ONCE = 256;
const SHOWN_NUMBERS = 6;

/** `coverrank encode text|image`: embeddings in input order. */
export function encodeCommand(): Command {
  const command = new Command('encode')
    .description('Embeddings of texts (from files or stdin) or of pictures, L2-normalised, in input order.')
    .addArgument(new Argument('<kind>', 'what to encode').choices(['text', 'image']))
    .argument('[file...]', 'text: files of texts; image: pictures')
    .addOption(
      new Option('--input-format <format>', 'texts: one a line, or {"text": …} a line')
        .choices(['lines', 'ndjson'])
        .default('lines'),
    )
    .option('--pixels <file.npy>', 'image: preprocessed pixels, float32 [n, 3, R, R]')
    .option('--tokens', "also the text's token ids or the picture's tokens")
    .action(async (kind: 'text' | 'image', files: string[], flags: EncodeFlags) => {
      if (kind === 'text' && flags.pixels !== undefined) command.error('error: --pixels goes with image');
      if (kind === 'image' && flags.pixels === undefined && files.length === 0) {
        command.error('error: name pictures, or give --pixels');
      }
      const { config } = configOf(command);
      const { openOfflineModel } = await import('../services.ts');
      const model = await openOfflineModel(config.model, { maxPixels: config.limits.image_max_pixels });
      try {
        const encoded = kind === 'text' ? encodeTexts(model, files, flags) : encodeImages(model, files, flags);
        for await (const one of encoded) show(one, isJson(command));
      } finally {
        await model.close();
      }
    });
  return withSettings(command, ['model']);
}

async function* encodeTexts(
  model: OfflineModel,
  files: readonly string[],
  { inputFormat, tokens }: EncodeFlags,
): AsyncGenerator<Encoded> {
  for await (const texts of inGroups(readTexts(files, inputFormat), TEXTS_AT_ONCE)) {
    const embeddings = await model.encodeTexts(texts);
    for (const [position, input] of texts.entries()) {
      const embedding = embeddings[position] ?? new Float32Array();
      yield { input, embedding, more: tokens ? { tokens: model.tokenize(input).ids } : {} };
    }
  }
}

async function* encodeImages(
  model: OfflineModel,
  files: readonly string[],
  { pixels, tokens }: EncodeFlags,
): AsyncGenerator<Encoded> {
  const width = model.tokenWidth;
  const encoded = (input: string, features: ExactFeatures): Encoded => ({
    input,
    embedding: features.embedding,
    more: {
      ...(features.ocrPresence === undefined ? {} : { ocr_presence: features.ocrPresence }),
      ...(tokens && features.tokens !== undefined ? { tokens: inRows(features.tokens, width) } : {}),
    },
  });
  if (pixels !== undefined) {
    const { data, count } = await readPixels(pixels, model.bundle.manifest.image.size);
    const features = await model.encodePixels(data, count);
    for (const [position, one] of features.entries()) yield encoded(`${pixels}[${position}]`, one);
  }
  let done = pixels === undefined ? 0 : 1;
  let failed = 0;
  for (const file of files) {
    const features = await encodePicture(model, file);
    if (features === undefined) failed++;
    else {
      done++;
      yield encoded(file, features);
    }
  }
  if (failed > 0) process.exitCode = done > 0 ? EXIT.partlyDone : EXIT.failed;
}

/** Undefined, and told on stderr, when the file cannot be read or is no picture: the others go on. */
async function encodePicture(model: OfflineModel, file: string): Promise<ExactFeatures | undefined> {
  try {
    return await model.encodePicture(await readInput(file));
  } catch (error) {
    if (!isFailure(error)) throw error;
    note(`coverrank: ${error.code === 'invalid_request' ? '' : `${file}: `}${error.detail}`);
    return undefined;
  }
}

function show({ input, embedding, more }: Encoded, json: boolean): void {
  if (json) {
    printJson({ input, embedding: Array.from(embedding), ...more });
    return;
  }
  const numbers = Array.from(embedding.subarray(0, SHOWN_NUMBERS), (value) => value.toFixed(4)).join(', ');
  const { ocr_presence: presence, tokens } = more as { ocr_presence?: number; tokens?: readonly unknown[] };
  const extras = [
    ...(presence === undefined ? [] : [`ocr_presence ${presence.toFixed(4)}`]),
    ...(tokens === undefined ? [] : [`tokens ${Array.isArray(tokens[0]) ? tokens.length : tokens.join(' ')}`]),
  ];
  print([input, `[${numbers}, … ${embedding.length}]`, ...extras].join('\t'));
}

function inRows(values: Float32Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) =>
    Array.from(values.subarray(row * width, (row + 1) * width)),
  );
}

async function* inGroups<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
