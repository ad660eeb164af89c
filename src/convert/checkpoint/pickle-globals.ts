import { failure } from '../../core/errors.ts';
import type { StoredType } from './stored-types.ts';
import { StorageReference, TensorReference } from './tensor-reference.ts';

/**
 * What a pickle may name. A pickle is a program: `REDUCE` calls whatever global it names. Here a global is only a label
 * that one of our own functions answers to, and a label outside these lists is an error, so nothing foreign ever runs.
 */

/** An object that is allowed to be there and whose content nobody needs: command-line arguments, numpy scalars. */
export class OpaqueValue {
  readonly global: string;

  constructor(global: string) {
    this.global = global;
  }
}

export interface PickleGlobal {
  readonly label: string;
  /** Set for the storage classes, which persistent ids name. */
  readonly storageType?: StoredType;
  /** Answer to a call of this global with the pickled arguments. */
  call(args: readonly unknown[]): unknown;
}

const STORAGE_CLASSES: Readonly<Record<string, StoredType>> = {
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  DoubleStorage: 'float64',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

const CALLS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  'collections.OrderedDict': (args) => new Map(Array.isArray(args[0]) ? pairs(args[0]) : []),
  'collections.defaultdict': () => new Map(),
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args),
  'torch._utils._rebuild_tensor_v2': (args) => rebuildTensor(args),
  'torch._utils._rebuild_parameter': (args) => args[0],
  'torch._utils._rebuild_parameter_with_state': (args) => args[0],
  'torch.Size': (args) => (Array.isArray(args[0]) ? args[0] : []),
};

/** Settings, optimizer state and metrics that training scripts save beside the weights. */
const OPAQUE = new Set([
  '_codecs.encode',
  'argparse.Namespace',
  'builtins.bytearray',
  'builtins.complex',
  'builtins.frozenset',
  'builtins.set',
  '__builtin__.bytearray',
  '__builtin__.complex',
  '__builtin__.frozenset',
  '__builtin__.set',
  'collections.Counter',
  'datetime.date',
  'datetime.datetime',
  'datetime.timedelta',
  'numpy.dtype',
  'numpy.ndarray',
  'numpy.core.multiarray._reconstruct',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray._reconstruct',
  'numpy._core.multiarray.scalar',
  'pathlib.PosixPath',
  'pathlib._local.PosixPath',
  'pathlib._local.PurePosixPath',
  'pathlib.PurePosixPath',
  'torch.device',
  'torch.bfloat16',
  'torch.bool',
  'torch.float',
  'torch.float16',
  'torch.float32',
  'torch.float64',
  'torch.half',
  'torch.int',
  'torch.int16',
  'torch.int32',
  'torch.int64',
  'torch.int8',
  'torch.long',
  'torch.strided',
  'torch.uint8',
]);

/** Throws `invalid_checkpoint`, naming the global, unless it is on the lists above. */
export function resolveGlobal(module: string, name: string): PickleGlobal {
  const label = `${module}.${name}`;
  const storageType = module === 'torch' && Object.hasOwn(STORAGE_CLASSES, name) ? STORAGE_CLASSES[name] : undefined;
  if (storageType !== undefined) {
    return { label, storageType, call: () => refuse(label, 'a storage class is not called') };
  }
  const call = Object.hasOwn(CALLS, label) ? CALLS[label] : undefined;
  if (call !== undefined) return { label, call };
  if (OPAQUE.has(label)) return { label, call: () => new OpaqueValue(label) };
  return refuse(label, 'nothing outside the list of known globals is ever loaded');
}

/** The storage that a persistent id names: ('storage', class, key, location, elements), and in old files a view. */
export function resolvePersistentId(id: unknown): StorageReference {
  if (!Array.isArray(id) || id[0] !== 'storage') {
    throw failure('invalid_checkpoint', 'The pickle refers to something that is no tensor storage.');
  }
  const [, storageClass, key, , elements, view = null] = id as unknown[];
  if (view !== null) {
    throw failure(
      'invalid_checkpoint',
      'The pickle holds a storage that is a part of another, as torch before 0.4 wrote.',
    );
  }
  const type = (storageClass as Partial<PickleGlobal> | undefined)?.storageType;
  if (type === undefined || typeof key !== 'string' || !isCount(elements)) {
    throw failure('invalid_checkpoint', 'The pickle describes a tensor storage of an unknown kind.');
  }
  return new StorageReference(key, type, elements);
}

/** Arguments of torch._utils._rebuild_tensor_v2: storage, offset, size, stride, and more that has no meaning here. */
function rebuildTensor(args: readonly unknown[]): TensorReference {
  const [storage, offset, shape, strides] = args;
  if (
    !(storage instanceof StorageReference) ||
    !isCount(offset) ||
    !isCounts(shape) ||
    !isCounts(strides) ||
    shape.length !== strides.length
  ) {
    throw failure('invalid_checkpoint', 'The pickle describes a tensor with a malformed shape or storage.');
  }
  assertInsideStorage(storage, offset, shape, strides);
  return new TensorReference(storage, offset, shape, strides);
}

function assertInsideStorage(
  storage: StorageReference,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): void {
  if (shape.includes(0)) return;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (last >= storage.elements) {
    throw failure(
      'invalid_checkpoint',
      `A tensor of shape [${shape.join(', ')}] reaches outside its storage of ${storage.elements} elements.`,
    );
  }
}

const MAX_DIMENSIONS = 16;

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_DIMENSIONS && value.every(isCount);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function pairs(items: readonly unknown[]): [unknown, unknown][] {
  return items.map((item) => {
    if (!Array.isArray(item) || item.length !== 2) {
      throw failure('invalid_checkpoint', 'The pickle holds a malformed OrderedDict.');
    }
    return [item[0], item[1]];
  });
}

function refuse(label: string, reason: string): never {
  throw failure('invalid_checkpoint', `The checkpoint's pickle asks for ${label}: ${reason}.`);
}
