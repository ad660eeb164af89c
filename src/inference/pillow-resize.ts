import type { RgbImage } from './model-thread.ts';

/**
 * The two resizes of Pillow that the preprocess graph (RGB, bicubic) does not cover: nearest neighbour for palette
 * pictures and bicubic on premultiplied RGBA. Both give [size, size, 3], which the graph then leaves as it is.
 */

/** Pillow's filter arithmetic: coefficients are fixed-point with this many bits below one. */
const PRECISION_BITS = 22;
const BICUBIC_SUPPORT = 2;
const BICUBIC_A = -0.5;

export function resizeNearestAsPillow({ data, width, height }: RgbImage, size: number): RgbImage {
  const resized = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const row = Math.floor(((y + 0.5) * height) / size) * width;
    for (let x = 0; x < size; x++) {
      const from = (row + Math.floor(((x + 0.5) * width) / size)) * 3;
      resized.set(data.subarray(from, from + 3), (y * size + x) * 3);
    }
  }
  return { data: resized, width: size, height: size };
}

/** RGBA, [height, width, 4], premultiplied, resized, un-premultiplied; the alpha is dropped. */
export function resizeAlphaAsPillow(rgba: RgbImage, size: number): RgbImage {
  const premultiplied = new Uint8Array(rgba.data.length);
  for (let at = 0; at < rgba.data.length; at += 4) {
    const alpha = rgba.data[at + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      premultiplied[at + channel] = multiplyBytes(rgba.data[at + channel] ?? 0, alpha);
    }
    premultiplied[at + 3] = alpha;
  }
  const across = resizeRows(premultiplied, rgba.width, rgba.height, size);
  const transposed = transpose(across, size, rgba.height);
  const down = transpose(resizeRows(transposed, rgba.height, size, size), size, size);
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

/** One pass over 4-channel rows, [height, width, 4] to [height, size, 4], antialiased when it shrinks. */
function resizeRows(data: Uint8Array, width: number, height: number, size: number): Uint8Array {
  const resized = new Uint8Array(size * height * 4);
  for (let x = 0; x < size; x++) {
    const { first, weights } = bicubicWeights(x, width, size);
    for (let y = 0; y < height; y++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 2 ** (PRECISION_BITS - 1);
        for (let tap = 0; tap < weights.length; tap++) {
          sum += (data[(y * width + first + tap) * 4 + channel] ?? 0) * (weights[tap] ?? 0);
        }
        resized[(y * size + x) * 4 + channel] = Math.max(0, Math.min(255, Math.floor(sum / 2 ** PRECISION_BITS)));
      }
    }
  }
  return resized;
}

function bicubicWeights(x: number, width: number, size: number): { first: number; weights: readonly number[] } {
  const scale = width / size;
  const stretch = Math.max(scale, 1);
  const support = BICUBIC_SUPPORT * stretch;
  const center = (x + 0.5) * scale;
  const first = Math.max(0, Math.trunc(center - support + 0.5));
  const end = Math.min(width, Math.trunc(center + support + 0.5));
  const weights = Array.from({ length: end - first }, (_, tap) => bicubic((first + tap - center + 0.5) / stretch));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    first,
    weights: weights.map((weight) => {
      const fixed = (weight / total) * 2 ** PRECISION_BITS;
      return Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
    }),
  };
}

function bicubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((BICUBIC_A + 2) * x - (BICUBIC_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * BICUBIC_A;
  return 0;
}

function transpose(data: Uint8Array, width: number, height: number): Uint8Array {
  const turned = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 4;
      turned.set(data.subarray(from, from + 4), (x * height + y) * 4);
    }
  }
  return turned;
}

/** a * b / 255, rounded, in integers. */
export function multiplyBytes(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}
