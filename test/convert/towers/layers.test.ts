import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GraphBuilder } from '../../../src/convert/onnx/graph.ts';
import { writeGraphs } from '../../../src/convert/onnx/write-graphs.ts';
import { matmul } from '../../../src/convert/towers/layers.ts';
import type { WeightSource } from '../../../src/convert/weights.ts';
import { loadGraph } from '../../../src/inference/session.ts';

test('an int8 product of the largest numbers there are is exact on every processor', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coverrank-product-'));
  t.after(() => rm(folder, { recursive: true }));
  const [rows, inner, columns] = [5, 256, 48] as const;
  // Neighbours of one sign: the sum of two such products does not fit into 16 bits.
  const largest = (i: number): number => (i % inner < inner / 2 ? 1 : -1);
  const matrix = Float32Array.from({ length: inner * columns }, (_, i) => (i / columns < inner / 2 ? 2 : -2));

  const noWeights: WeightSource = { has: () => false, shape: () => [], get: () => assert.fail('none is asked for') };
  const graph = new GraphBuilder('product');
  const x = graph.input('x', 'float32', ['B', inner]);
  const weight = { name: 'm', shape: [inner, columns], read: async () => matrix };
  const product = matmul({ graph, weights: noWeights, precision: 'int8' }, x, weight);
  graph.output(product, 'y', 'float32', ['B', columns]);
  await writeGraphs(folder, 'product.data', [{ file: 'product.onnx', graph: graph.content() }]);

  const session = await loadGraph(join(folder, 'product.onnx'), { threads: 1 });
  t.after(() => session.close());
  const data = Float32Array.from({ length: rows * inner }, (_, i) => largest(i));
  const { y } = await session.run({ x: { type: 'float32', dims: [rows, inner], data } });
  for (const value of y?.data ?? []) assert.ok(Math.abs(Number(value) - 2 * inner) < 0.01, String(value));
});
