import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuFlags } from '../../src/core/cpu-flags.ts';
import { graphBuilds, loadGraphLibrary } from '../../src/store/graph-library.ts';
import { createVectorIndex } from '../../src/store/vector-index.ts';

const V3 = ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe'];
const V4 = ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'];
const isX64 = process.arch === 'x64' && process.platform === 'linux';

test('a processor gets the widest build that it can run, and the portable one where it can run no other', (t) => {
  assert.deepEqual(graphBuilds(new Set()), ['portable']);
  assert.deepEqual(graphBuilds(new Set([...V3.slice(1), ...V4])), ['portable']);
  // A compiler that does not know a level leaves its build out.
  const there = graphBuilds(new Set([...V3, ...V4]));
  if (!isX64 || there.length < 3) return t.skip(`the builds here are ${there.join(', ')}`);
  assert.deepEqual(graphBuilds(new Set(V3)), ['x86-64-v3', 'portable']);
  assert.deepEqual(graphBuilds(new Set([...V3, ...V4.slice(1)])), ['x86-64-v3', 'portable']);
  assert.deepEqual(graphBuilds(new Set([...V3, ...V4])), ['x86-64-v4', 'x86-64-v3', 'portable']);
});

test('every build that runs here finds the same neighbours at the same distances', () => {
  const dim = 100;
  const vectors = Array.from({ length: 300 }, (_, label) =>
    unit(dim, (i) => Math.sin(label * 7 + i * (1 + label / 50))),
  );
  const answers = graphBuilds(cpuFlags()).map((build) => {
    const graph = createVectorIndex(dim, vectors.length, loadGraphLibrary(build));
    vectors.forEach((vector, label) => {
      graph.add(label, vector);
    });
    return vectors.slice(0, 20).map((vector) => graph.search(vector, 10, 300));
  });
  const [first = []] = answers;
  for (const others of answers) {
    others.forEach(({ labels, cosines }, query) => {
      assert.deepEqual(labels, first[query]?.labels);
      cosines.forEach((cosine, place) => {
        assert.ok(Math.abs(cosine - (first[query]?.cosines[place] ?? Number.NaN)) < 1e-6);
      });
    });
  }
});

function unit(dim: number, value: (i: number) => number): Float32Array {
  const values = Array.from({ length: dim }, (_, i) => value(i));
  const length = Math.hypot(...values);
  return Float32Array.from(values, (v) => v / length);
}
