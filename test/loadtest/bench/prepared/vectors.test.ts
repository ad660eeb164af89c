import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createVectorSource } from '../../../../loadtest/bench/prepared/vectors.ts';
import { dot } from '../../../../src/core/dot.ts';

const OPTIONS = { dim: 128, count: 400, draw: 1 } as const;

test('the same vectors at every call, others of the same mixture with another draw', () => {
  const [once, again, other] = [OPTIONS, OPTIONS, { ...OPTIONS, draw: 2 }].map((options) => take(options, 3));
  assert.deepEqual(once, again);
  assert.notDeepEqual(once, other);
});

test('vectors have length 1 and lie in clusters: their neighbours are near, the rest is far', () => {
  const vectors = take(OPTIONS, 400);
  for (const vector of vectors) assert.ok(Math.abs(dot(vector, vector) - 1) < 1e-5);
  const queries = take({ ...OPTIONS, draw: 2 }, 20);
  const cosines = queries.map((query) => vectors.map((vector) => dot(query, vector)).sort((a, b) => b - a));
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  assert.ok(mean(cosines.map((sorted) => sorted[0] as number)) > 0.7);
  assert.ok(Math.abs(mean(cosines.map((sorted) => sorted[200] as number))) < 0.2);
});

function take(options: typeof OPTIONS | { dim: number; count: number; draw: number }, count: number): Float32Array[] {
  const source = createVectorSource(options);
  return Array.from({ length: count }, () => source.next());
}
