import sharp, { type Metadata, type Sharp } from 'sharp';
import { abortFailure } from '../core/abort.ts';
import type { BundleManifest } from '../core/bundle-format.ts';
import { failure, isFailure } from '../core/errors.ts';
import { inTurns } from '../core/turn.ts';
import type { Thumbnail } from '../core/types.ts';
import type { RgbImage } from './model-thread.ts';
import {
  clipGrey,
  multiplyBytes,
  resizeAlphaAsPillow,
  resizeGreyAsPillow,
  resizeInksAsPillow,
  resizeNearestAsPillow,
  SLICE_BYTES,
} from './pillow-resize.ts';

/** The one importer of sharp: bytes of a picture to RGB pixels, and to the thumbnail that the service keeps. */

const THUMBNAIL_SIDE = 320;
const THUMBNAIL_QUALITY = 75;
/** Of 6: takes half of the usual 4's time for files that are hardly larger. */
const THUMBNAIL_EFFORT = 2;
const TIMEOUT_SECONDS = 3;
/** Of either side: resizing one side first takes as many times the model's own side in numbers, however few pixels there are. */
const MAX_SIDE = 16_384;
const FORMATS = 'JPEG, PNG and WebP';
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;
/** Where a PNG's first chunk, the header, tells them. */
const PNG_BIT_DEPTH_AT = 24;
const PNG_COLOUR_TYPE_AT = 25;
const PNG_GREY = 0;
const PNG_RGB = 2;

// Only the loaders below may touch foreign bytes; the rest of libvips' formats (SVG, PDF, ImageMagick, ...) stay shut.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer', 'VipsForeignLoadWebpBuffer'],
});
sharp.cache(false);
sharp.concurrency(1);

export interface DecodeOptions {
  readonly maxPixels: number;
  /** See the bundle format: as a person sees the picture, or as the reference code reads it. */
  readonly decoding: BundleManifest['image']['decoding'];
  /** Side of the model's input, [size, size]; pictures that Pillow resizes in a way of its own leave at this size. */
  readonly size: number;
}

/**
 * Decodes a picture to RGB, [height, width, 3]. Fails with `unsupported_image` for anything that is not JPEG, PNG or
 * WebP, `image_too_large` above `maxPixels` or a side of 16,384, `undecodable_image` for broken or truncated bytes. Does not
 * begin once the signal has fired; what has begun cannot be stopped, and settles when it is over.
 *
 * CMYK is converted without a profile in all modes, as Pillow does; other embedded profiles are honoured by `viewer`.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions, signal: AbortSignal): Promise<RgbImage> {
  if (signal.aborted) throw abortFailure(signal);
  return guarded(async () => {
    const metadata = await readMetadata(bytes, options.maxPixels);
    if (metadata.space === 'cmyk') return decodeCmyk(bytes, options);
    if (options.decoding === 'viewer') return decodeAsViewer(bytes, options);
    if (isDeepGrey(bytes)) return decodeDeepGrey(bytes, options);
    if (options.decoding === 'pillow_rgb') return toRgb(open(bytes, options.maxPixels, { ignoreIcc: true }));
    return decodeAsPillow(bytes, metadata, options);
  });
}

/** A WebP of at most 320 pixels a side, upright, without metadata. */
export async function makeThumbnail(bytes: Uint8Array, maxPixels: number): Promise<Thumbnail> {
  return guarded(async () => {
    const thumbnail = await open(bytes, maxPixels)
      .autoOrient()
      .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: THUMBNAIL_QUALITY, effort: THUMBNAIL_EFFORT })
      .toBuffer();
    return { bytes: thumbnail, contentType: 'image/webp' };
  });
}

function open(bytes: Uint8Array, maxPixels: number, options: { ignoreIcc?: boolean } = {}): Sharp {
  return sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', pages: 1, ...options }).timeout({
    seconds: TIMEOUT_SECONDS,
  });
}

async function readMetadata(bytes: Uint8Array, maxPixels: number): Promise<Metadata> {
  if (!hasKnownSignature(bytes)) {
    throw failure('unsupported_image', `The image type is not supported; ${FORMATS} are.`);
  }
  const metadata = await open(bytes, Number.MAX_SAFE_INTEGER).metadata();
  if (metadata.width * metadata.height > maxPixels) {
    throw failure('image_too_large', `The image has more than ${maxPixels} pixels.`);
  }
  if (Math.max(metadata.width, metadata.height) > MAX_SIDE) {
    throw failure('image_too_large', `A side of the image has more than ${MAX_SIDE} pixels.`);
  }
  return metadata;
}

/** Tells "not a picture that we take" from "a broken one of those that we do". */
function hasKnownSignature(bytes: Uint8Array): boolean {
  const text = (from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
  const isWebp = text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP';
  return isJpeg || isPng(bytes) || isWebp;
}

function isPng(bytes: Uint8Array): boolean {
  return PNG_SIGNATURE.every((byte, position) => bytes[position] === byte);
}

async function decodeAsViewer(bytes: Uint8Array, { maxPixels }: DecodeOptions): Promise<RgbImage> {
  return toRgb(open(bytes, maxPixels).autoOrient().flatten({ background: 'white' }));
}

/**
 * Pillow's resize comes before its conversion to RGB, so the kind of picture decides: palettes are resized by nearest
 * neighbour (so are pictures of one bit), transparent ones premultiplied, after which the alpha is thrown away rather than blended.
 */
async function decodeAsPillow(bytes: Uint8Array, metadata: Metadata, options: DecodeOptions): Promise<RgbImage> {
  const picture = open(bytes, options.maxPixels, { ignoreIcc: true });
  if (metadata.isPalette === true || metadata.bitsPerSample === 1) {
    return resizeNearestAsPillow(await toRgb(picture.removeAlpha()), options.size);
  }
  if (!metadata.hasAlpha || hasKeyColour(bytes)) return toRgb(picture);
  const { data, info } = await picture.toColourspace('srgb').ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return resizeAlphaAsPillow({ data, width: info.width, height: info.height }, options.size);
}

/** A PNG without alpha channel in which one colour may stand for transparency; Pillow does not look at that one. */
function hasKeyColour(bytes: Uint8Array): boolean {
  return isPng(bytes) && (bytes[PNG_COLOUR_TYPE_AT] === PNG_GREY || bytes[PNG_COLOUR_TYPE_AT] === PNG_RGB);
}

/** 16 bits of grey without alpha channel, which Pillow clips to 8 bits; all else of 16 bits loses its lower byte. */
function isDeepGrey(bytes: Uint8Array): boolean {
  return isPng(bytes) && bytes[PNG_COLOUR_TYPE_AT] === PNG_GREY && bytes[PNG_BIT_DEPTH_AT] === 16;
}

async function decodeDeepGrey(bytes: Uint8Array, { maxPixels, decoding, size }: DecodeOptions): Promise<RgbImage> {
  const { data, info } = await open(bytes, maxPixels, { ignoreIcc: true })
    .removeAlpha()
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const grey = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  if (decoding === 'pillow_rgb') return clipGrey(grey, info.width, info.height);
  return resizeGreyAsPillow(grey, info.width, info.height, size);
}

async function decodeCmyk(bytes: Uint8Array, { maxPixels, decoding, size }: DecodeOptions): Promise<RgbImage> {
  const upright = decoding === 'viewer' ? open(bytes, maxPixels, { ignoreIcc: true }).autoOrient() : undefined;
  const { data, info } = await (upright ?? open(bytes, maxPixels, { ignoreIcc: true }))
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const inks = { data, width: info.width, height: info.height };
  const { data: sized, ...sides } = decoding === 'pillow' ? await resizeInksAsPillow(inks, size) : inks;
  return { data: await cmykToRgb(sized), ...sides };
}

/** Pillow's conversion: each ink removes its share of what black left over. */
async function cmykToRgb(cmyk: Uint8Array): Promise<Uint8Array> {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  await inTurns(cmyk.length, SLICE_BYTES, (start, end) => {
    for (let from = start, to = (start / 4) * 3; from < end; from += 4, to += 3) {
      const light = 255 - (cmyk[from + 3] ?? 0);
      for (let ink = 0; ink < 3; ink++) rgb[to + ink] = light - multiplyBytes(cmyk[from + ink] ?? 0, light);
    }
  });
  return rgb;
}

async function toRgb(picture: Sharp): Promise<RgbImage> {
  const { data, info } = await picture
    .toColourspace('srgb')
    .removeAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** libvips' messages name its own parts; the caller learns that the picture is at fault and nothing else. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isFailure(cause)) throw cause;
    throw failure('undecodable_image', 'The image is broken or cut off.', { cause });
  }
}
