import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resizedPositions } from '../../src/convert/position-table.ts';

/** Row 0 is the class token; then a grid of 3 x 3 cells, two numbers wide. */
const TABLE = [100, -100, ...[1, 9, 2, 8, 4, 7, 8, 6, 16, 5, 32, 4, 64, 3, 128, 2, 256, 1]];

async function resized(to: number): Promise<number[]> {
  const shape = [10, 2];
  const table = { name: 'positions', shape, read: async () => Float32Array.from(TABLE) };
  const weight = resizedPositions(table, 3, to);
  assert.deepEqual(weight.shape, [1 + to * to, 2]);
  return [...(await weight.read())];
}

test('a grid of its own size stays as it is', async () => {
  assert.deepEqual(await resized(3), TABLE);
});

// torch.nn.functional.interpolate(mode="bicubic", align_corners=True) of torch 2.13.
const EXPECTED = {
  '2': [1.0, 9.0, 4.0, 7.0, 64.0, 3.0, 256.0, 1.0],
  '4': [
    1.0, 9.0, 1.46296, 8.42593, 2.74074, 7.57407, 4.0, 7.0, -0.42593, 7.27778, -0.62312, 6.70371, -1.16736, 5.85185,
    -1.70372, 5.27778, 26.40739, 4.72222, 38.63304, 4.14815, 72.3758, 3.29629, 105.62958, 2.72222, 64.0, 3.0, 93.62963,
    2.42593, 175.40735, 1.57407, 256.0, 1.0,
  ],
  '5': [
    1.0, 9.0, 1.3125, 8.59375, 2.0, 8.0, 3.09375, 7.40625, 4.0, 7.0, -0.75, 7.78125, -0.98438, 7.375, -1.5, 6.78125,
    -2.32031, 6.1875, -3.0, 5.78125, 8.0, 6.0, 10.5, 5.59375, 16.0, 5.0, 24.75, 4.40625, 32.0, 4.0, 36.65625, 4.21875,
    48.11133, 3.8125, 73.3125, 3.21875, 113.40527, 2.625, 146.625, 2.21875, 64.0, 3.0, 84.0, 2.59375, 128.0, 2.0, 198.0,
    1.40625, 256.0, 1.0,
  ],
};

test('other sizes are those of torch, corners on corners', async () => {
  for (const [size, expected] of Object.entries(EXPECTED)) {
    const got = await resized(Number(size));
    assert.deepEqual(got.slice(0, 2), [100, -100]);
    expected.forEach((value, index) => {
      assert.ok(Math.abs(value - (got[index + 2] ?? 0)) < 1e-4, `${size}: ${got[index + 2]} is not ${value}`);
    });
  }
});
