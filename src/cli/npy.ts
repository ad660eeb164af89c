import { failure } from '../core/errors.ts';

export interface FloatArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
const FLOAT32_BYTES = 4;

/**
 * Reads a .npy file of little-endian float32 in C order (format versions 1 to 3, as numpy.save writes it). Written here
 * because the packaged reader brings an HTTP client along and takes a truncated file for a whole one. Fails with
 * `invalid_request` on anything else.
 */
export function parseNpy(bytes: Buffer, name: string): FloatArray {
  const { header, dataStart } = readHeader(bytes, name);
  const descr = field(header, /'descr'\s*:\s*'([^']*)'/, name);
  if (descr !== '<f4') throw unfit(name, `its type is ${descr}; float32 (<f4) is needed`);
  if (field(header, /'fortran_order'\s*:\s*(True|False)/, name) === 'True') throw unfit(name, 'it is in Fortran order');
  const shape = field(header, /'shape'\s*:\s*\(([^)]*)\)/, name)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) throw unfit(name, 'its shape cannot be read');
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length - dataStart !== count * FLOAT32_BYTES) {
    throw unfit(
      name,
      `it holds ${bytes.length - dataStart} bytes of data where its shape (${shape}) needs ${count * 4}`,
    );
  }
  return { shape, data: readFloats(bytes.subarray(dataStart), count) };
}

function readHeader(bytes: Buffer, name: string): { header: string; dataStart: number } {
  if (bytes.length < 12 || !bytes.subarray(0, 6).equals(MAGIC)) throw unfit(name, 'it is not a .npy file');
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw unfit(name, `its format version ${version} is unknown`);
  const headerStart = version === 1 ? 10 : 12;
  const length = version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const dataStart = headerStart + length;
  if (dataStart > bytes.length) throw unfit(name, 'it ends within its header');
  return { header: bytes.toString('utf8', headerStart, dataStart), dataStart };
}

function field(header: string, pattern: RegExp, name: string): string {
  const value = pattern.exec(header)?.[1];
  if (value === undefined) throw unfit(name, 'its header cannot be read');
  return value;
}

function readFloats(bytes: Buffer, count: number): Float32Array {
  const floats = new Float32Array(count);
  for (let position = 0; position < count; position++) floats[position] = bytes.readFloatLE(position * FLOAT32_BYTES);
  return floats;
}

function unfit(name: string, reason: string): Error {
  return failure('invalid_request', `${name} cannot be used: ${reason}.`);
}
