import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cosineRow, cosineWith } from '../../../src/eval/scoring/cosines.ts';

test('cosines are the sums of products, for any number of dimensions', () => {
  for (const dim of [1, 3, 4, 7, 192]) {
    const embeddings = Float32Array.from({ length: 3 * dim }, (_, at) => Math.sin(at));
    const query = Float32Array.from({ length: dim }, (_, at) => Math.cos(at));
    const row = new Float32Array(3);
    cosineRow({ embeddings, dim }, query, row);
    for (let cover = 0; cover < 3; cover++) {
      const expected = query.reduce((sum, value, at) => sum + value * (embeddings[cover * dim + at] ?? 0), 0);
      assert.ok(Math.abs((row[cover] ?? 9) - expected) < 1e-4, `${dim} dimensions`);
      assert.ok(Math.abs(cosineWith({ embeddings, dim }, query, cover) - expected) < 1e-9);
    }
  }
});
