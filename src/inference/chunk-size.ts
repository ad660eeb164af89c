/** `size`, halved until it fits; 0 when not even one does. */
export function halvedUntil(fits: (size: number) => boolean, size: number): number {
  let halved = size;
  while (halved > 0 && !fits(halved)) halved = Math.floor(halved / 2);
  return halved;
}

/** The size of the first when `count` go in as few portions of at most `most` as it takes, of nearly equal size. */
export function evenPortion(count: number, most: number): number {
  return count === 0 ? 0 : Math.ceil(count / Math.ceil(count / most));
}
