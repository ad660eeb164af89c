import { inTurns } from '../core/turn.ts';
import type { RgbImage } from './model-thread.ts';

/**
 * The resizes of Pillow that the preprocess graph (RGB, bicubic) does not cover: nearest neighbour for palette pictures,
 * bicubic on premultiplied RGBA, on four inks, and on 16 bits of grey. They give [size, size], which the graph then leaves
 * as it is. Large pictures take seconds, so all of it is done in turns.
 */

/** Pillow's filter arithmetic: coefficients are fixed-point with this many bits below one. */
const PRECISION_BITS = 22;
const BICUBIC_SUPPORT = 2;
const BICUBIC_A = -0.5;
/** Of what is gone through pixel by pixel: about a millisecond's worth. */
export const SLICE_BYTES = 1 << 19;

export function resizeNearestAsPillow({ data, width, height }: RgbImage, size: number): RgbImage {
  const resized = new Uint8Array(size * size * 3);
  const columns = nearest(width, size);
  for (const [y, row] of nearest(height, size).entries()) {
    for (const [x, column] of columns.entries()) {
      const from = (row * width + column) * 3;
      resized.set(data.subarray(from, from + 3), (y * size + x) * 3);
    }
  }
  return { data: resized, width: size, height: size };
}

/** Which pixel of a side of `length` each of `size` takes: as Pillow adds the steps up, rounding errors and all. */
function nearest(length: number, size: number): number[] {
  const step = length / size;
  let position = step * 0.5;
  return Array.from({ length: size }, () => {
    const index = Math.trunc(position);
    position += step;
    return index;
  });
}

/**
 * RGBA, [height, width, 4], premultiplied, resized, un-premultiplied; the alpha is dropped. A picture of the right size
 * is not resized, and keeps the colours that its alpha hides.
 */
export async function resizeAlphaAsPillow(rgba: RgbImage, size: number): Promise<RgbImage> {
  if (rgba.width === size && rgba.height === size) return withoutAlpha(rgba);
  const down = (await resizeInksAsPillow({ ...rgba, data: await premultiplied(rgba.data) }, size)).data;
  const rgb = new Uint8Array(size * size * 3);
  for (let pixel = 0; pixel < size * size; pixel++) {
    const alpha = down[pixel * 4 + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      const value = down[pixel * 4 + channel] ?? 0;
      rgb[pixel * 3 + channel] =
        alpha === 0 || alpha === 255 ? value : Math.min(255, Math.floor((255 * value) / alpha));
    }
  }
  return { data: rgb, width: size, height: size };
}

async function premultiplied(rgba: Uint8Array): Promise<Uint8Array> {
  const result = new Uint8Array(rgba.length);
  await inTurns(rgba.length, SLICE_BYTES, (start, end) => {
    for (let at = start; at < end; at += 4) {
      const alpha = rgba[at + 3] ?? 0;
      for (let channel = 0; channel < 3; channel++) {
        result[at + channel] = multiplyBytes(rgba[at + channel] ?? 0, alpha);
      }
      result[at + 3] = alpha;
    }
  });
  return result;
}

/** Four channels that have nothing to do with each other, [height, width, 4] to [size, size, 4]. */
export async function resizeInksAsPillow({ data, width, height }: RgbImage, size: number): Promise<RgbImage> {
  if (width === size && height === size) return { data, width, height };
  const across = await resizeColumns(data, width, height, size);
  return { data: await resizeColumns(across, height, size, size), width: size, height: size };
}

/** 16 bits of grey, [height, width] to [size, size, 3]: clipped to 8 bits after the resize, not scaled to them. */
export async function resizeGreyAsPillow(
  grey: Uint16Array,
  width: number,
  height: number,
  size: number,
): Promise<RgbImage> {
  if (width === size && height === size) return clipGrey(grey, size, size);
  const across = await resizeGreyColumns(grey, width, height, size);
  return clipGrey(await resizeGreyColumns(across, height, size, size), size, size);
}

/** Grey of any depth, [height, width] to RGB; as Pillow's conversion, what is above 255 is white. */
export async function clipGrey(grey: ArrayLike<number>, width: number, height: number): Promise<RgbImage> {
  const data = new Uint8Array(3 * grey.length);
  await inTurns(grey.length, SLICE_BYTES / 4, (start, end) => {
    for (let pixel = start; pixel < end; pixel++) {
      const level = Math.max(0, Math.min(255, grey[pixel] ?? 0));
      for (let channel = 0; channel < 3; channel++) data[3 * pixel + channel] = level;
    }
  });
  return { data, width, height };
}

/** One pass, [height, width] to the transposed [size, height]; sums are rounded to integers. */
async function resizeGreyColumns(
  grey: ArrayLike<number>,
  width: number,
  height: number,
  size: number,
): Promise<Float64Array> {
  const resized = new Float64Array(size * height);
  await inTurns(size, 1, (x) => {
    const { first, shares } = bicubicShares(x, width, size);
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let tap = 0; tap < shares.length; tap++) sum += (grey[y * width + first + tap] ?? 0) * (shares[tap] ?? 0);
      resized[x * height + y] = Math.max(0, Math.min(65_535, Math.floor(sum + 0.5)));
    }
  });
  return resized;
}

function withoutAlpha({ data, width, height }: RgbImage): RgbImage {
  return { data: data.filter((_, position) => position % 4 !== 3), width, height };
}

/** One pass over 4-channel rows, [height, width, 4] to the transposed [size, height, 4], antialiased when it shrinks. */
async function resizeColumns(data: Uint8Array, width: number, height: number, size: number): Promise<Uint8Array> {
  const resized = new Uint8Array(size * height * 4);
  await inTurns(size, 1, (x) => {
    const { first, weights } = bicubicWeights(x, width, size);
    for (let y = 0; y < height; y++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 2 ** (PRECISION_BITS - 1);
        for (let tap = 0; tap < weights.length; tap++) {
          sum += (data[(y * width + first + tap) * 4 + channel] ?? 0) * (weights[tap] ?? 0);
        }
        resized[(x * height + y) * 4 + channel] = Math.max(0, Math.min(255, Math.floor(sum / 2 ** PRECISION_BITS)));
      }
    }
  });
  return resized;
}

function bicubicWeights(x: number, width: number, size: number): { first: number; weights: readonly number[] } {
  const { first, shares } = bicubicShares(x, width, size);
  const weights = shares.map((share) => {
    const fixed = share * 2 ** PRECISION_BITS;
    return Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
  });
  return { first, weights };
}

/** What pixels from `first` on have in pixel `x` of the result; they add up to 1. */
function bicubicShares(x: number, width: number, size: number): { first: number; shares: readonly number[] } {
  const scale = width / size;
  const stretch = Math.max(scale, 1);
  const support = BICUBIC_SUPPORT * stretch;
  const center = (x + 0.5) * scale;
  const first = Math.max(0, Math.trunc(center - support + 0.5));
  const end = Math.min(width, Math.trunc(center + support + 0.5));
  const weights = Array.from({ length: end - first }, (_, tap) => bicubic((first + tap - center + 0.5) / stretch));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { first, shares: weights.map((weight) => weight / total) };
}

function bicubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((BICUBIC_A + 2) * x - (BICUBIC_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * BICUBIC_A;
  return 0;
}

/** a * b / 255, rounded, in integers. */
export function multiplyBytes(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}
