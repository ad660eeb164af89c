import { endianness } from 'node:os';
import { failure } from '../../core/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFile, type RandomAccessFile } from './file-range.ts';
import { storedTensor } from './stored-tensor.ts';
import { ELEMENT_BYTES, type StoredType } from './stored-types.ts';
import { StorageReference, TensorReference } from './tensor-reference.ts';

const LENGTH_BYTES = 8;
/** Names, types and shapes only; a model with a million tensors would not fill this. */
const MAX_HEADER_BYTES = 64 * 2 ** 20;
const METADATA = '__metadata__';

const TYPES: Readonly<Record<string, StoredType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F64: 'float64',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};

interface Entry {
  readonly reference: TensorReference;
  /** Bytes behind the header. */
  readonly begin: number;
  readonly end: number;
}

/** Tells a safetensors file by its first bytes: the header's length (u64, little-endian), then the header's `{`. */
export function isSafetensors(head: Buffer): boolean {
  return head.length > LENGTH_BYTES && head[LENGTH_BYTES] === 0x7b && head.readBigUInt64LE(0) < 2n ** 32n;
}

/**
 * Opens a safetensors file: a JSON header with type, shape and byte range of every tensor, then their bytes, which
 * must cover the rest of the file without gap or overlap. Rejects with `invalid_checkpoint`.
 */
export async function openSafetensors(path: string): Promise<Checkpoint> {
  const file = await openFile(path);
  try {
    const { header, dataStart } = await readHeader(file);
    const entries = readEntries(header);
    assertCovered(entries, file.size - dataStart);
    const source = {
      swapped: endianness() !== 'LE',
      read: (storage: StorageReference, start: number, length: number) =>
        file.read(dataStart + (entries.get(storage.key)?.begin ?? Number.NaN) + start, length),
    };
    return {
      format: 'safetensors',
      files: [path],
      names: [...entries.keys()],
      others: [],
      tensor(name) {
        const entry = entries.get(name);
        if (entry === undefined) throw failure('invalid_checkpoint', `The checkpoint has no tensor ${name}.`);
        return storedTensor(source, name, entry.reference);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHeader(file: RandomAccessFile): Promise<{ header: object; dataStart: number }> {
  const length = Number((await file.read(0, LENGTH_BYTES)).readBigUInt64LE());
  if (length > MAX_HEADER_BYTES) {
    throw failure('invalid_checkpoint', `The safetensors header is larger than ${MAX_HEADER_BYTES} bytes.`);
  }
  const text = (await file.read(LENGTH_BYTES, length)).toString('utf8');
  const header = parseJson(text);
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw failure('invalid_checkpoint', 'The safetensors header is no JSON object.');
  }
  return { header, dataStart: LENGTH_BYTES + length };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure('invalid_checkpoint', 'The safetensors header is not valid JSON.', { cause });
  }
}

function readEntries(header: object): Map<string, Entry> {
  const tensors = Object.entries(header).filter(([name]) => name !== METADATA);
  if (tensors.length === 0) throw failure('invalid_checkpoint', 'The safetensors file holds no tensors.');
  return new Map(tensors.map(([name, value]) => [name, readEntry(name, value)]));
}

function readEntry(name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets: range } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (!isCounts(shape) || !isCounts(range) || range.length !== 2 || typeof dtype !== 'string') {
    throw failure('invalid_checkpoint', `The safetensors header does not describe ${name} as a tensor.`);
  }
  const type = Object.hasOwn(TYPES, dtype) ? TYPES[dtype] : undefined;
  if (type === undefined) {
    throw failure('invalid_checkpoint', `${name} is stored as ${dtype.slice(0, 32)}, which is not read.`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  const [begin = 0, end = 0] = range;
  if (end - begin !== elements * ELEMENT_BYTES[type]) {
    throw failure(
      'invalid_checkpoint',
      `${name} of shape [${shape.join(', ')}] does not fill its ${end - begin} bytes.`,
    );
  }
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const storage = new StorageReference(name, type, elements);
  return { reference: new TensorReference(storage, 0, shape, strides), begin, end };
}

function assertCovered(entries: ReadonlyMap<string, Entry>, dataBytes: number): void {
  let covered = 0;
  for (const [name, { begin, end }] of [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      throw failure('invalid_checkpoint', `The safetensors file has a gap or an overlap before the values of ${name}.`);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    const reason = covered > dataBytes ? 'it is truncated' : 'it is longer than its tensors';
    throw failure('invalid_checkpoint', `The safetensors file does not end with its last tensor: ${reason}.`);
  }
}

const MAX_DIMENSIONS = 16;

function isCounts(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length <= MAX_DIMENSIONS &&
    value.every((item) => typeof item === 'number' && Number.isSafeInteger(item) && item >= 0)
  );
}
