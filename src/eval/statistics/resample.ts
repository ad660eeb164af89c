import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Whole numbers from `from` to `to`, both included; the same sequence for the same seed. */
export type RandomInt = (from: number, to: number) => number;

export function createRandomInt(seed: number): RandomInt {
  const generator = xoroshiro128plus(seed);
  return (from, to) => uniformInt(generator, from, to);
}

/** How often each of `size` things is drawn in `size` draws with replacement; written into `counts`, [size]. */
export function drawWithReplacement(random: RandomInt, counts: Int32Array): void {
  counts.fill(0);
  const last = counts.length - 1;
  for (let draw = 0; draw < counts.length; draw++) {
    const drawn = random(0, last);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
}

/** 0 … size - 1 in random order (Fisher and Yates). */
export function shuffled(size: number, random: RandomInt): number[] {
  const order = Array.from({ length: size }, (_, position) => position);
  for (let last = size - 1; last > 0; last--) {
    const other = random(0, last);
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}
