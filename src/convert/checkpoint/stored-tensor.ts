import { failure } from '../../core/errors.ts';
import type { CheckpointTensor } from './checkpoint.ts';
import { decodeToFloat32, ELEMENT_BYTES } from './stored-types.ts';
import { type StorageReference, TensorReference } from './tensor-reference.ts';

/** Where the storages of a container are read from. */
export interface StorageSource {
  /** True when the stored byte order is not this machine's. */
  readonly swapped: boolean;
  /** `length` bytes from byte `start` of the storage. Rejects with `invalid_checkpoint` when they are not there. */
  read(storage: StorageReference, start: number, length: number): Promise<Buffer>;
}

/** A tensor of a state dict, which is a view of a storage. */
export function storedTensor(source: StorageSource, name: string, reference: TensorReference): CheckpointTensor {
  const { storage, offset, shape, strides } = reference;
  return {
    name,
    type: storage.type,
    shape,
    rows(start, count) {
      const [rows = 0, ...inner] = shape;
      if (start < 0 || count < 0 || start + count > rows) {
        throw new RangeError(`rows ${start} to ${start + count} of ${name}, which has ${rows}`);
      }
      const first = offset + start * (strides[0] ?? 0);
      return storedTensor(source, name, new TensorReference(storage, first, [count, ...inner], strides));
    },
    read: () => readTensor(source, name, reference),
  };
}

/** Reads the span of the storage that the view touches, then brings it into row-major order. */
async function readTensor(source: StorageSource, name: string, reference: TensorReference): Promise<Float32Array> {
  const { storage, offset, shape, strides } = reference;
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements === 0) return new Float32Array(0);
  if (elements > storage.elements) {
    throw failure('invalid_checkpoint', `${name} has more elements than its storage: it repeats values.`);
  }
  const span = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);
  const width = ELEMENT_BYTES[storage.type];
  const bytes = await source.read(storage, offset * width, span * width);
  const values = decodeToFloat32(bytes, storage.type, source.swapped);
  return isRowMajor(shape, strides) ? values : gather(values, shape, strides, elements);
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

function gather(
  span: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
  elements: number,
): Float32Array {
  const values = new Float32Array(elements);
  const index = shape.map(() => 0);
  let position = 0;
  for (let i = 0; i < elements; i++) {
    values[i] = span[position] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      position += stride;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      position -= stride * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return values;
}
