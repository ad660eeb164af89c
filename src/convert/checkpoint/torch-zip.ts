import { endianness } from 'node:os';
import { failure } from '../../core/errors.ts';
import type { Checkpoint, CheckpointTensor } from './checkpoint.ts';
import { type StorageReference, TensorReference } from './pickle-globals.ts';
import { findStateDict } from './state-dict.ts';
import { decodeToFloat32, ELEMENT_BYTES } from './stored-types.ts';
import { unpickle } from './unpickler.ts';
import { openZipArchive, type ZipArchive } from './zip-archive.ts';

/** The pickle holds names and shapes only; a model with a million tensors would not fill this. */
const MAX_PICKLE_BYTES = 64 * 2 ** 20;

/** What reading a storage needs to know of its archive. */
interface StorageSource {
  readonly archive: ZipArchive;
  /** Folder of all entries, such as `archive/`. */
  readonly root: string;
  /** True when the stored byte order is not this machine's. */
  readonly swapped: boolean;
}

/**
 * Opens the zip container that torch.save writes since 1.6: `<root>/data.pkl` with everything but the numbers, and
 * `<root>/data/<key>` with one storage each. Rejects with `invalid_checkpoint`.
 */
export async function openTorchZip(file: string): Promise<Checkpoint> {
  const archive = await openZipArchive(file);
  try {
    const root = findRoot(archive);
    const pickled = await readPickle(archive, `${root}data.pkl`);
    const { tensors, others } = findStateDict(unpickle(pickled));
    const source = { archive, root, swapped: await isSwapped(archive, root) };
    for (const [name, reference] of tensors) assertStored(source, name, reference.storage);
    return {
      format: 'torch zip',
      names: [...tensors.keys()],
      others,
      tensor(name) {
        const reference = tensors.get(name);
        if (reference === undefined) throw failure('invalid_checkpoint', `The checkpoint has no tensor ${name}.`);
        return createTensor(source, name, reference);
      },
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

function findRoot(archive: ZipArchive): string {
  const pickles = archive.names.filter((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    throw failure('invalid_checkpoint', 'The file is a zip archive, but no PyTorch checkpoint: it has no data.pkl.');
  }
  const root = pickle.slice(0, -'data.pkl'.length);
  if (archive.has(`${root}constants.pkl`)) {
    throw failure(
      'invalid_checkpoint',
      'This is a TorchScript archive (torch.jit.save), which holds a program. Give the checkpoint with its state dict.',
    );
  }
  return root;
}

async function readPickle(archive: ZipArchive, name: string): Promise<Buffer> {
  if (archive.size(name) > MAX_PICKLE_BYTES) {
    throw failure('invalid_checkpoint', `The checkpoint's pickle is larger than ${MAX_PICKLE_BYTES} bytes.`);
  }
  return archive.read(name);
}

async function isSwapped(archive: ZipArchive, root: string): Promise<boolean> {
  const name = `${root}byteorder`;
  if (!archive.has(name)) return endianness() !== 'LE';
  const order = archive.size(name) > 16 ? '' : (await archive.read(name)).toString('latin1').trim();
  if (order !== 'little' && order !== 'big') {
    throw failure('invalid_checkpoint', 'The checkpoint names a byte order that is neither little nor big.');
  }
  return order !== (endianness() === 'LE' ? 'little' : 'big');
}

function assertStored({ archive, root }: StorageSource, name: string, storage: StorageReference): void {
  const entry = `${root}data/${storage.key}`;
  if (!archive.has(entry)) {
    throw failure('invalid_checkpoint', `The values of ${name} are missing: the archive has no entry ${entry}.`);
  }
  if (archive.size(entry) < storage.elements * ELEMENT_BYTES[storage.type]) {
    throw failure(
      'invalid_checkpoint',
      `The values of ${name} are cut off: the archive's entry ${entry} is too short.`,
    );
  }
}

function createTensor(source: StorageSource, name: string, reference: TensorReference): CheckpointTensor {
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
      return createTensor(source, name, new TensorReference(storage, first, [count, ...inner], strides));
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
  const bytes = await source.archive.read(`${source.root}data/${storage.key}`, offset * width, span * width);
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
