/** Operations that follow from the shapes alone; a multiplication and an addition count as two. */

export interface TransformerShape {
  readonly width: number;
  readonly layers: number;
}

/**
 * One text or picture of `rows` tokens through a transformer with an MLP four times as wide: a layer has 12 width² weights
 * that every row meets, and every row looks at every other, twice.
 */
export function towerOperations({ width, layers }: TransformerShape, rows: number): number {
  return layers * (2 * rows * 12 * width ** 2 + 4 * rows ** 2 * width);
}

/**
 * One pair of UniCLIP's semantic head, of whose text side the first layer is done once a text, not a pair. Every layer
 * projects the image tokens to keys and values; the last one goes on with a single row.
 */
export function semanticPairOperations({ width, layers }: TransformerShape, textIds: number, tokens: number): number {
  const rows = textIds + 1;
  const project = (of: number, matrices: number): number => 2 * of * matrices * width ** 2;
  const look = (from: number, at: number): number => 4 * from * at * width;
  let operations = 0;
  for (let layer = 0; layer < layers; layer++) {
    const queries = layer === layers - 1 ? 1 : rows;
    if (layer > 0) operations += project(rows, 2) + project(queries, 2) + look(queries, rows);
    // Keys and values, then query (the first layer's is the text's), output and MLP.
    operations += project(tokens, 2) + look(queries, tokens) + project(queries, (layer > 0 ? 1 : 0) + 1 + 8);
  }
  return operations;
}
