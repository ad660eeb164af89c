import type { InitializerGroup } from './onnx/graph.ts';
import type { Weight } from './weights.ts';

/** Largest magnitude of a symmetric int8 value; -128 stays unused so that both signs have the same range. */
const INT8_MAX = 127;

/** A column or row that is smaller everywhere counts as zero: its scale would not be a normal float32. */
const LEAST_MAGNITUDE = 1e-30;

export interface Quantised {
  readonly values: Int8Array;
  /** value[i] = values[i] * scales[row or column of i] */
  readonly scales: Float32Array;
}

/** Symmetric int8 with one scale per column of a row-major [rows, columns] matrix: per output channel of a MatMul. */
export function quantiseColumns(matrix: Float32Array, columns: number): Quantised {
  const scales = new Float32Array(columns);
  for (let i = 0, column = 0; i < matrix.length; i++, column = column + 1 === columns ? 0 : column + 1) {
    const magnitude = Math.abs(matrix[i] as number);
    if (magnitude > (scales[column] as number)) scales[column] = magnitude;
  }
  for (let column = 0; column < columns; column++) scales[column] = scaleFor(scales[column] as number);
  const values = new Int8Array(matrix.length);
  for (let i = 0, column = 0; i < matrix.length; i++, column = column + 1 === columns ? 0 : column + 1) {
    values[i] = Math.round((matrix[i] as number) / (scales[column] as number));
  }
  return { values, scales };
}

/** Symmetric int8 with one scale per row: for tables whose rows are looked up. */
export function quantiseRows(matrix: Float32Array, columns: number): Quantised {
  const rows = matrix.length / columns;
  const scales = new Float32Array(rows);
  const values = new Int8Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let largest = 0;
    for (let i = start; i < start + columns; i++) largest = Math.max(largest, Math.abs(matrix[i] as number));
    const scale = scaleFor(largest);
    scales[row] = scale;
    for (let i = start; i < start + columns; i++) values[i] = Math.round((matrix[i] as number) / scale);
  }
  return { values, scales };
}

/** `<name>.int8` and `<name>.scale`: a [in, out] matrix with a scale per output channel [out]. */
export function quantisedMatrix(weight: Weight): InitializerGroup {
  const [rows = 0, columns = 0] = weight.shape;
  return quantisedGroup(weight.name, [rows, columns], [columns], async () =>
    quantiseColumns(await weight.read(), columns),
  );
}

/** `<name>.int8` and `<name>.scale`: a [rows, width] table with a scale per row [rows, 1]. */
export function quantisedTable(weight: Weight): InitializerGroup {
  const [rows = 0, columns = 0] = weight.shape;
  return quantisedGroup(weight.name, [rows, columns], [rows, 1], async () =>
    quantiseRows(await weight.read(), columns),
  );
}

function quantisedGroup(
  name: string,
  shape: readonly number[],
  scaleShape: readonly number[],
  quantise: () => Promise<Quantised>,
): InitializerGroup {
  return {
    initializers: [
      { name: `${name}.int8`, type: 'int8', shape },
      { name: `${name}.scale`, type: 'float32', shape: scaleShape },
    ],
    async load() {
      const { values, scales } = await quantise();
      return [values, scales];
    },
  };
}

/** Scale that makes the largest magnitude 127; zeros keep one that can be divided by. */
function scaleFor(magnitude: number): number {
  return magnitude < LEAST_MAGNITUDE ? 1 : Math.fround(magnitude / INT8_MAX);
}
