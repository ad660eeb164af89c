import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeToFloat32 } from '../../src/convert/checkpoint/stored-types.ts';
import { toHalf } from '../../src/convert/half-floats.ts';
import { isFailure } from '../../src/core/errors.ts';

const half = (...values: number[]): number[] => [...toHalf(Float32Array.from(values), 'w')];

test('every finite binary16 number comes back as it was', () => {
  const finite = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits).filter((bits) => (bits & 0x7c00) !== 0x7c00);
  const values = decodeToFloat32(Buffer.from(finite.buffer.slice(0)), 'float16', false);
  assert.deepEqual(toHalf(values, 'w'), finite);
});

test('numbers between two of them go to the nearer, and from the middle to the even one', () => {
  const step = 2 ** -10;
  assert.deepEqual(half(1 + 0.49 * step, 1 + 0.51 * step), [0x3c00, 0x3c01]);
  assert.deepEqual(half(1 + 0.5 * step, 1 + 1.5 * step), [0x3c00, 0x3c02]);
  assert.deepEqual(half(-2 + 0.25 * step), [0xc000]);
  // Subnormal numbers lie in steps of 2^-24.
  assert.deepEqual(half(0.5 * 2 ** -24, 0.51 * 2 ** -24, 1.5 * 2 ** -24, -(2 ** -24)), [0, 1, 2, 0x8001]);
  assert.deepEqual(half(2 ** -14 - 2 ** -26, 0, -0), [0x0400, 0, 0x8000]);
  assert.deepEqual(half(65_519), [0x7bff]);
});

test('a number that would become infinite is refused by the name of its weight', () => {
  for (const value of [65_520, -1e9]) {
    assert.throws(
      () => toHalf(Float32Array.of(1, value), 'visual.proj'),
      (error) => isFailure(error, 'invalid_checkpoint') && /visual\.proj holds -?\d+ at element 1/.test(error.detail),
    );
  }
});
