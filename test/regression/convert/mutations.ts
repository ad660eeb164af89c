/** Numbers in [0, 1) that a seed decides (mulberry32), so that a mutant can be made again. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values at which lengths, counts and offsets go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const MAX_CHANGES = 5;

type Change = (bytes: Buffer, random: (below: number) => number) => Buffer;

const CHANGES: readonly Change[] = [
  function flipBit(bytes, random) {
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return bytes;
  },
  function replaceByte(bytes, random) {
    bytes[random(bytes.length)] = random(256);
    return bytes;
  },
  function writeEdge(bytes, random) {
    const edge = EDGES[random(EDGES.length)] ?? 0;
    const width = [1, 2, 4][random(3)] ?? 1;
    if (bytes.length >= width) bytes.writeUIntLE(edge % 2 ** (8 * width), random(bytes.length - width + 1), width);
    return bytes;
  },
  function cutOff(bytes, random) {
    return bytes.subarray(0, random(bytes.length));
  },
  function removeSlice(bytes, random) {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(32))]);
  },
  function repeatSlice(bytes, random) {
    const at = random(bytes.length);
    const slice = bytes.subarray(at, at + 1 + random(64));
    return Buffer.concat([bytes.subarray(0, at), slice, slice, bytes.subarray(at + slice.length)]);
  },
  function moveSlice(bytes, random) {
    const [from, to] = [random(bytes.length), random(bytes.length)];
    bytes.copy(bytes, to, from, from + 1 + random(64));
    return bytes;
  },
];

/** A copy with one to five changes, more of them in the first `head` bytes, where the structure is. */
export function mutant(original: Buffer, head: number, random: () => number): Buffer {
  let bytes: Buffer = Buffer.from(original);
  const changes = 1 + Math.floor(random() * MAX_CHANGES);
  for (let i = 0; i < changes && bytes.length > 0; i++) {
    const nearHead = random() < 0.7;
    const below = (limit: number): number => {
      const bound = nearHead && limit === bytes.length ? Math.min(limit, head) : limit;
      return Math.floor(random() * bound);
    };
    bytes = CHANGES[Math.floor(random() * CHANGES.length)]?.(bytes, below) ?? bytes;
  }
  return bytes;
}
