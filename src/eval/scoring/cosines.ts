import type { Gallery } from './gallery.ts';

/** Writes the cosines of one embedding with every cover into `row`, [C]. */
export function cosineRow(
  { embeddings, dim }: Pick<Gallery, 'embeddings' | 'dim'>,
  query: Float32Array,
  row: Float32Array,
): void {
  for (let cover = 0, start = 0; cover < row.length; cover++, start += dim) {
    let sum = 0;
    for (let position = 0; position < dim; position++) {
      sum += (query[position] ?? 0) * (embeddings[start + position] ?? 0);
    }
    row[cover] = sum;
  }
}

export function cosineWith(
  { embeddings, dim }: Pick<Gallery, 'embeddings' | 'dim'>,
  query: Float32Array,
  cover: number,
): number {
  const start = cover * dim;
  let sum = 0;
  for (let position = 0; position < dim; position++) {
    sum += (query[position] ?? 0) * (embeddings[start + position] ?? 0);
  }
  return sum;
}
