import assert from 'node:assert/strict';
import test from 'node:test';
import { dot } from '../../src/core/dot.ts';

test('the dot product of vectors of any length', () => {
  for (let length = 0; length < 11; length++) {
    const a = Float32Array.from({ length }, (_, i) => i + 1);
    const b = Float32Array.from({ length }, (_, i) => 2 - i);
    const expected = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
    assert.equal(dot(a, b), expected);
  }
});
