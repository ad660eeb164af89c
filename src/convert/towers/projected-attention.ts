import type { Value } from '../onnx/graph.ts';
import type { Weight } from '../weights.ts';
import { addBias, type Tower } from './layers.ts';

/**
 * Attention to many rows m [P, N, V] from few queries. Since q (m K) = (q K') m, the projections to keys and values can
 * be applied to the queries, per head, and the scores taken with the rows themselves: N projections become Q.
 */

/** q [X, Q, W], projected and with its bias, through the key projection [W, V] of every head: [X, heads * Q, V]. */
export function projectQueries(tower: Tower, query: Value, key: Weight, heads: number): Value {
  const { graph } = tower;
  const [width = 0, rowWidth = 0] = key.shape;
  const headWidth = width / heads;
  const split = graph.add('Reshape', [query, graph.int64s([0, 0, heads, headWidth])]);
  const byHead = graph.add('Transpose', [split], { perm: [0, 2, 1, 3] });
  const scaled: Weight = {
    name: `${key.name}_by_head`,
    shape: [heads, headWidth, rowWidth],
    read: async () => (await key.read()).map((value) => value * headWidth ** -0.5),
  };
  const projected = graph.add('MatMul', [byHead, graph.weight(scaled)]);
  return graph.add('Reshape', [projected, graph.int64s([0, -1, rowWidth])]);
}

/** The attention of `queries` [P, heads * Q, V] over `rows` [P, N, V] through the value projection [W, V]: [P, Q, W]. */
export function attendToRows(
  tower: Tower,
  queries: Value,
  rows: Value,
  projection: { readonly value: Weight; readonly bias: Weight; readonly heads: number },
): Value {
  const { graph } = tower;
  const { value, bias, heads } = projection;
  const [width = 0, rowWidth = 0] = value.shape;
  const scores = graph.add('FusedMatMul', [queries, rows], { transB: 1 });
  const context = graph.add('MatMul', [graph.add('Softmax', [scores], { axis: -1 }), rows]);
  const byHead = graph.add('Reshape', [context, graph.int64s([0, heads, -1, rowWidth])]);
  const projected = graph.add('MatMul', [byHead, graph.weight(headsTransposed(value, heads))]);
  const byQuery = graph.add('Transpose', [projected], { perm: [0, 2, 1, 3] });
  // The weights of a query add up to one, so that a bias of the values passes through as it is.
  return addBias(tower, graph.add('Reshape', [byQuery, graph.int64s([0, 0, width])]), bias);
}

/** [heads * d, V] → [heads, V, d] */
function headsTransposed(weight: Weight, heads: number): Weight {
  const [rows = 0, columns = 0] = weight.shape;
  const headWidth = rows / heads;
  const read = async (): Promise<Float32Array> => {
    const source = await weight.read();
    const target = new Float32Array(source.length);
    for (let row = 0; row < rows; row++) {
      const head = Math.floor(row / headWidth);
      for (let column = 0; column < columns; column++) {
        target[(head * columns + column) * headWidth + (row % headWidth)] = source[row * columns + column] as number;
      }
    }
    return target;
  };
  return { name: `${weight.name}_by_head`, shape: [heads, columns, headWidth], read };
}
