import type { Weight } from './weights.ts';

/** Coefficient of torch's bicubic interpolation. */
const A = -0.75;

/**
 * A ViT's position table [1 + from * from, W] for a grid of another size: the class token's row is kept, the others
 * are interpolated bicubically with the grid's corners on each other (align_corners), as the reference code does.
 */
export function resizedPositions(table: Weight, from: number, to: number): Weight {
  const width = table.shape[1] ?? 0;
  const shape = [1 + to * to, width];
  const read = async (): Promise<Float32Array> => {
    const values = await table.read();
    if (from === to) return values;
    const resized = new Float32Array((1 + to * to) * width);
    resized.set(values.subarray(0, width));
    resizeGrid(values.subarray(width), from, resized.subarray(width), to, width);
    return resized;
  };
  return { name: table.name, shape, read };
}

function resizeGrid(source: Float32Array, from: number, target: Float32Array, to: number, width: number): void {
  const taps = Array.from({ length: to }, (_, index) => cubicTaps(index, from, to));
  for (const [y, rowTaps] of taps.entries()) {
    for (const [x, columnTaps] of taps.entries()) {
      const cell = target.subarray((y * to + x) * width, (y * to + x + 1) * width);
      for (const row of rowTaps) {
        for (const column of columnTaps) {
          const start = (row.index * from + column.index) * width;
          const weight = row.weight * column.weight;
          for (let i = 0; i < width; i++) cell[i] = (cell[i] as number) + weight * (source[start + i] as number);
        }
      }
    }
  }
}

interface Tap {
  readonly index: number;
  readonly weight: number;
}

/** The four source cells of one target cell along one side; cells beyond the border repeat it. */
function cubicTaps(target: number, from: number, to: number): readonly Tap[] {
  const position = to === 1 ? 0 : (target * (from - 1)) / (to - 1);
  const base = Math.floor(position);
  const t = position - base;
  const weights = [outer(1 + t), inner(t), inner(1 - t), outer(2 - t)];
  return weights.map((weight, tap) => ({ weight, index: Math.min(Math.max(base - 1 + tap, 0), from - 1) }));
}

/** Keys' cubic convolution kernel for distances up to 1. */
function inner(x: number): number {
  return ((A + 2) * x - (A + 3)) * x * x + 1;
}

/** The same for distances of 1 to 2. */
function outer(x: number): number {
  return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
