import type { Gallery } from './gallery.ts';

type Vectors = Pick<Gallery, 'embeddings' | 'dim'>;

/** Writes the cosines of one embedding with every cover into `row`, [C]. */
export function cosineRow(covers: Vectors, query: Float32Array, row: Float32Array): void {
  for (let cover = 0; cover < row.length; cover++) row[cover] = cosineWith(covers, query, cover);
}

/** Cosine of one embedding with one cover; both are L2-normalised. */
export function cosineWith({ embeddings, dim }: Vectors, query: Float32Array, cover: number): number {
  // Four sums side by side: one alone would wait for each addition to end before the next begins.
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = cover * dim;
  const whole = dim - (dim % 4);
  for (let position = 0; position < whole; position += 4, at += 4) {
    a += (query[position] ?? 0) * (embeddings[at] ?? 0);
    b += (query[position + 1] ?? 0) * (embeddings[at + 1] ?? 0);
    c += (query[position + 2] ?? 0) * (embeddings[at + 2] ?? 0);
    d += (query[position + 3] ?? 0) * (embeddings[at + 3] ?? 0);
  }
  for (let position = whole; position < dim; position++, at++) a += (query[position] ?? 0) * (embeddings[at] ?? 0);
  return a + b + c + d;
}
