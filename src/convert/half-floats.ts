import { failure } from '../core/errors.ts';

/** The largest float32 that rounds to a finite binary16, as bits: just below 65,520. */
const LARGEST_BITS = 0x477fefff;
/** 2^-14, the smallest normal binary16. */
const SMALLEST_NORMAL_BITS = 0x38800000;
/** What lies between the exponents' offsets of both formats. */
const OFFSET_BITS = 0x38000000;
/** Bits of the fraction that float32 has more. */
const SURPLUS_BITS = 13;

/**
 * IEEE binary16, rounded to the nearest, ties to even. Throws `invalid_checkpoint` for a value beyond its range of
 * ±65,504: it would become infinite. `name` is the weight's, for the message.
 */
export function toHalf(values: Float32Array, name: string): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const magnitude = (bits[i] as number) & 0x7fffffff;
    if (magnitude > LARGEST_BITS) throw tooLarge(name, values[i] as number, i);
    const half = magnitude < SMALLEST_NORMAL_BITS ? subnormal(values[i] as number) : normal(magnitude);
    halves[i] = (((bits[i] as number) >>> 16) & 0x8000) | half;
  }
  return halves;
}

function normal(bits: number): number {
  const half = (bits - OFFSET_BITS) >>> SURPLUS_BITS;
  const rest = bits & ((1 << SURPLUS_BITS) - 1);
  const middle = 1 << (SURPLUS_BITS - 1);
  return rest > middle || (rest === middle && (half & 1) === 1) ? half + 1 : half;
}

/** Steps of 2^-24. */
function subnormal(value: number): number {
  const steps = Math.abs(value) * 2 ** 24;
  const below = Math.floor(steps);
  const rest = steps - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function tooLarge(name: string, value: number, element: number): Error {
  return failure(
    'invalid_checkpoint',
    `The weight ${name} holds ${value} at element ${element}, beyond the largest fp16 number of 65504: convert its graph in fp32, as in --precision image=fp32,text=fp16.`,
  );
}
