import { Command, InvalidArgumentError, Option } from 'commander';
import { ARCHITECTURE_NAMES, type ArchitectureName } from '../convert/architectures/plan-bundle.ts';
import type { PrecisionLoss, SignalLoss } from '../convert/compare-precisions.ts';
import { type ConversionReport, type ConvertOptions, convertCheckpoint } from '../convert/convert-checkpoint.ts';
import { describePrecisions, parsePrecisions } from '../convert/precision.ts';
import { TOKEN_BITS } from '../convert/towers/image-tokens.ts';
import type { BundleManifest } from '../core/bundle-format.ts';
import { note, print, printJson } from './output.ts';
import { type LossReport, measureLoss, REPORT_SETTINGS } from './precision-report.ts';

/** Pictures of the comparison come from the caller. */
const REPORT_MAX_PIXELS = 100_000_000;

interface ConvertFlags {
  readonly out: string;
  readonly force: boolean;
  readonly name?: string;
  readonly arch: ArchitectureName | 'auto';
  readonly precision: string;
  readonly vocab?: string;
  readonly tokenBits?: string;
  readonly poolTokens?: number;
  readonly contextLength?: number;
  readonly ocrContextLength?: number;
  readonly imageSize?: number;
  readonly visionHeads?: number;
  readonly textHeads?: number;
  readonly visionModel?: string;
  readonly textModel?: string;
  readonly decoding: 'viewer' | 'pillow';
  readonly fusion?: Readonly<Record<string, number>>;
  readonly origin?: string;
  readonly licence?: string;
  readonly reportTexts?: string;
  readonly reportImages?: string;
}

/** `coverrank convert CHECKPOINT --out DIR`: a published checkpoint becomes a bundle. */
export function convertCommand(): Command {
  const convert = new Command('convert')
    .description('turn a published checkpoint into a model bundle')
    .argument('<checkpoint>', 'a .pt or .pth file as torch.save writes it, .safetensors, or the index.json of several')
    .requiredOption('--out <dir>', 'folder of the bundle')
    .option('--force', 'replace the bundle that is in the folder', false)
    .option('--name <name>', "the bundle's name; the folder's by default")
    .addOption(new Option('--arch <family>', 'architecture').choices(['auto', ...ARCHITECTURE_NAMES]).default('auto'))
    .option('--vision-model <name>', 'image tower that the weights must be, such as ViT-B-16')
    .option('--text-model <name>', 'text tower that the weights must be, such as RoBERTa-wwm-ext-base-chinese')
    .option('--vocab <file>', "the model's vocabulary, one piece a line; Chinese BERT's by default")
    .option(
      '--precision <type>',
      'fp32, int8 (CPU) or fp16 (GPU), or each graph its own: text=int8,image=int8,rerank=fp16',
      'fp32',
    )
    .addOption(
      new Option(
        '--token-bits <n>',
        'bits of a number of the stored image tokens (default 10; R2D2 and odd widths: 16)',
      ).choices(TOKEN_BITS.map(String)),
    )
    .option('--pool-tokens <n>', 'average n x n patches into one stored image token (default 1: none)', positiveInteger)
    .option(
      '--context-length <n>',
      'most tokens of a text, [CLS] and [SEP] included (default 52; R2D2: 64)',
      positiveInteger,
    )
    .option('--ocr-context-length <n>', 'ids that the semantic head was trained with (default 20)', positiveInteger)
    .option('--image-size <n>', 'side of the picture in pixels; as trained by default', positiveInteger)
    .option(
      '--vision-heads <n>',
      'attention heads of the image tower (default width / 64; 1280 wide: width / 80)',
      positiveInteger,
    )
    .option('--text-heads <n>', 'attention heads of the text tower (default width / 64)', positiveInteger)
    .addOption(
      new Option('--decoding <way>', 'pictures as a person sees them, or as the reference code reads them')
        .choices(['viewer', 'pillow'])
        .default('viewer'),
    )
    .option('--fusion <weights>', 'default weights of the signals, such as cosine=1,ocr_semantic=0.2', fusionWeights)
    .option('--origin <text>', 'where the weights come from, kept in the bundle')
    .option('--licence <text>', "the weights' licence, kept in the bundle")
    .option('--report-texts <file>', 'texts, one a line, to compare the bundle with the same in fp32')
    .option('--report-images <dir>', 'pictures for that comparison')
    .action(async (checkpoint: string, flags: ConvertFlags, command: Command) => {
      const { reportTexts, reportImages } = flags;
      if ((reportTexts === undefined) !== (reportImages === undefined)) {
        convert.error('error: --report-texts and --report-images go together');
      }
      const options = toOptions(checkpoint, flags);
      // The native libraries behind the services load only when there is something to run.
      const { openGraph, openModel, openOfflineModel } = await import('../services.ts');
      const deps = { openGraph, onProgress: process.stderr.isTTY ? note : () => {} };
      const report = await convertCheckpoint(options, deps);
      const limits = { ...REPORT_SETTINGS.limits, image_max_pixels: REPORT_MAX_PIXELS };
      const open = {
        openOffline: (folder: string) => openOfflineModel(folder, { maxPixels: REPORT_MAX_PIXELS }),
        openServed: (folder: string) => openModel(folder, { ...REPORT_SETTINGS, limits }),
      };
      const loss =
        reportTexts === undefined || reportImages === undefined
          ? undefined
          : await measureLoss(options, { texts: reportTexts, images: reportImages }, { ...deps, ...open });
      if (command.optsWithGlobals<{ json?: boolean }>().json === true) printJson(jsonReport(report, loss));
      else print(textReport(report, loss));
    });
  return convert;
}

function toOptions(checkpoint: string, flags: ConvertFlags): ConvertOptions {
  return {
    checkpoint,
    out: flags.out,
    replace: flags.force,
    name: flags.name,
    architecture: flags.arch === 'auto' ? undefined : flags.arch,
    precision: parsePrecisions(flags.precision),
    vocabulary: flags.vocab,
    tokenBits: TOKEN_BITS.find((bits) => String(bits) === flags.tokenBits),
    poolTokens: flags.poolTokens,
    contextLength: flags.contextLength,
    ocrContextLength: flags.ocrContextLength,
    imageSize: flags.imageSize,
    visionHeads: flags.visionHeads,
    textHeads: flags.textHeads,
    visionModel: flags.visionModel,
    textModel: flags.textModel,
    decoding: flags.decoding,
    fusion: flags.fusion,
    source: {
      ...(flags.origin === undefined ? {} : { origin: flags.origin }),
      ...(flags.licence === undefined ? {} : { licence: flags.licence }),
    },
  };
}

function jsonReport(report: ConversionReport, loss: LossReport | undefined): Record<string, unknown> {
  const { manifest } = report;
  return {
    out: report.out,
    name: manifest.name,
    hash: manifest.hash,
    architecture: manifest.architecture,
    format: report.format,
    precision: precisionOf(manifest),
    sizes: report.sizes,
    signals: manifest.signals,
    fusion: manifest.fusion,
    mapped: report.mapped.length,
    renamed: report.renamed,
    parameters: report.parameters,
    dropped: report.dropped,
    unknown: report.unknown,
    missing: [],
    bytes: report.bytes,
    ...(report.tokenBytes === null ? {} : { token_bytes: report.tokenBytes }),
    elapsed_ms: Math.round(report.elapsedMs),
    ...(loss === undefined ? {} : { precision_loss: jsonLoss(loss.total) }),
    ...(loss?.pooling === undefined ? {} : { pooling_loss: jsonLoss(loss.pooling) }),
  };
}

function jsonLoss({ texts, images, textCosine, imageCosine, signals, rankCorrelation, sameFirst }: PrecisionLoss) {
  return {
    texts,
    images,
    text_cosine: textCosine,
    image_cosine: imageCosine,
    signals: Object.fromEntries(Object.entries(signals).map(([name, signal]) => [name, jsonSignal(signal)])),
    rank_correlation: rankCorrelation,
    same_first: sameFirst,
  };
}

function jsonSignal({ mean, largest, rankCorrelation }: SignalLoss) {
  return { mean, largest, rank_correlation: rankCorrelation };
}

function lossLines({ total, pooling }: LossReport): string[] {
  return [
    `loss       against fp32 with all image tokens exact, over ${total.texts} texts and ${total.images} pictures:`,
    `           cosine of texts ${total.textCosine.mean.toFixed(5)}, of pictures ${total.imageCosine.mean.toFixed(5)}`,
    ...agreementLines(total),
    ...(pooling === undefined
      ? []
      : ['pooling    of that, against the same bundle without it:', ...agreementLines(pooling)]),
  ];
}

function agreementLines({ signals, rankCorrelation, sameFirst }: PrecisionLoss): string[] {
  return [
    ...Object.entries(signals).map(
      ([name, { mean, largest, rankCorrelation: order }]) =>
        `           ${name} differs by ${mean.toExponential(1)} on the mean, ${largest.toExponential(1)} at most; rank correlation ${order.toFixed(4)}`,
    ),
    `           relevance: rank correlation ${rankCorrelation.toFixed(4)}, same first picture ${(100 * sameFirst).toFixed(1)} %`,
  ];
}

function textReport(report: ConversionReport, loss: LossReport | undefined): string {
  const { manifest, sizes } = report;
  const lines = [
    `${manifest.architecture}, ${(report.parameters / 1e6).toFixed(1)} M parameters, from ${report.format}`,
    `sizes      ${Object.entries(sizes)
      .map(([name, size]) => `${name} ${size}`)
      .join(', ')}`,
    `mapped     ${report.mapped.length} tensors, ${report.renamed} of them spelt otherwise`,
    `dropped    ${listNames(report.dropped)} (of no use when serving)`,
    `missing    none`,
    ...(report.unknown.length === 0 ? [] : [`warning    not known and left out: ${listNames(report.unknown)}`]),
    ...tokenLines(report),
    `signals    ${manifest.signals.join(', ')}; weights ${JSON.stringify(manifest.fusion)}`,
    `written    ${report.out}: ${precisionOf(manifest)}, ${(report.bytes / 1e6).toFixed(1)} MB`,
    `hash       ${manifest.hash}`,
    `took       ${(report.elapsedMs / 1000).toFixed(1)} s`,
    ...(loss === undefined ? [] : lossLines(loss)),
  ];
  return lines.join('\n');
}

function tokenLines({ manifest: { tokens }, tokenBytes }: ConversionReport): string[] {
  if (tokens === null || tokenBytes === null) return [];
  const kilobytes = (bytes: number): string => `${(bytes / 1e3).toFixed(1)} kB`;
  const pooling =
    tokens.pool === undefined ? '' : `, pooled ${tokens.pool} x ${tokens.pool} from ${kilobytes(tokenBytes.unpooled)}`;
  return [`tokens     ${tokens.count} of ${tokens.width} bytes, ${kilobytes(tokenBytes.stored)} a cover${pooling}`];
}

function precisionOf({ graphs }: BundleManifest): string {
  return describePrecisions(Object.fromEntries(Object.entries(graphs).map(([name, graph]) => [name, graph.precision])));
}

/** Names with their numbers folded: 96 tensors of twelve layers are eight names. */
function listNames(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const folded = [...new Set(names.map((name) => name.replace(/\.\d+(?=\.)/g, '.*')))];
  return `${names.length}: ${folded.join(', ')}`;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a positive whole number is needed.');
  return value;
}

function fusionWeights(text: string): Record<string, number> {
  const entries = text.split(',').map((term): [string, number] => {
    const [signal = '', weight = ''] = term.split('=');
    const value = Number(weight);
    if (signal.trim() === '' || weight.trim() === '' || !Number.isFinite(value)) {
      throw new InvalidArgumentError('it has the form signal=weight,signal=weight.');
    }
    return [signal.trim(), value];
  });
  return Object.fromEntries(entries);
}
