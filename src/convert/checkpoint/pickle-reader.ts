import { failure } from '../../core/errors.ts';

/** Little-endian numbers, text and bytes from a pickle, in order; never past its end. */
export interface PickleReader {
  position(): number;
  u8(): number;
  u16(): number;
  u32(): number;
  /** Throws when it is above 2^53. */
  u64(): number;
  i32(): number;
  /** Big-endian, as the pickle format has it. */
  f64(): number;
  /** Two's complement of `length` bytes: a number where it is exact, a bigint above 2^53. */
  long(length: number): number | bigint;
  text(length: number, encoding: 'utf8' | 'latin1'): string;
  bytes(length: number): Buffer;
  /** Up to a newline, which is consumed and not returned. */
  line(): string;
}

/** Longer integers serve no purpose in a checkpoint and cost quadratic time. */
const MAX_LONG_BYTES = 64;

/** Names of modules and classes. */
const MAX_LINE_BYTES = 1024;

export function createPickleReader(source: Buffer): PickleReader {
  let position = 0;

  const take = (length: number): number => {
    if (length > source.length - position)
      throw failure('invalid_checkpoint', 'The pickle of the checkpoint is truncated.');
    const start = position;
    position += length;
    return start;
  };

  return {
    position: () => position,
    u8: () => source.readUInt8(take(1)),
    u16: () => source.readUInt16LE(take(2)),
    u32: () => source.readUInt32LE(take(4)),
    u64() {
      const value = source.readBigUInt64LE(take(8));
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw failure('invalid_checkpoint', 'The pickle of the checkpoint holds an absurd length.');
      }
      return Number(value);
    },
    i32: () => source.readInt32LE(take(4)),
    f64: () => source.readDoubleBE(take(8)),
    long(length) {
      if (length > MAX_LONG_BYTES) {
        throw failure('invalid_checkpoint', 'The pickle of the checkpoint holds an absurdly long integer.');
      }
      const start = take(length);
      return twosComplement(source.subarray(start, start + length));
    },
    text(length, encoding) {
      const start = take(length);
      return source.toString(encoding, start, start + length);
    },
    bytes(length) {
      const start = take(length);
      return source.subarray(start, start + length);
    },
    line() {
      const end = source.subarray(position, position + MAX_LINE_BYTES).indexOf(0x0a);
      if (end < 0) throw failure('invalid_checkpoint', 'The pickle of the checkpoint has a line without an end.');
      const start = take(end + 1);
      return source.toString('utf8', start, start + end);
    },
  };
}

function twosComplement(bytes: Buffer): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  const signed = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, value);
  const number = Number(signed);
  return Number.isSafeInteger(number) ? number : signed;
}
