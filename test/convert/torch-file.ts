import { crc32 } from 'node:zlib';

/** Writes what torch.save writes, so that tests can have any checkpoint, also broken ones. */

export interface StoredTensor {
  /** Storage class of torch, such as `HalfStorage`. */
  readonly storage: string;
  readonly bytes: Uint8Array;
  readonly elements: number;
  readonly shape: readonly number[];
  /** Row-major when it is left out. */
  readonly strides?: readonly number[];
  readonly offset?: number;
  /** Tensors of one key share a storage. */
  readonly key?: string;
}

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export function floatTensor(shape: readonly number[], values: Float32Array | readonly number[]): StoredTensor {
  const data = Float32Array.from(values);
  return { storage: 'FloatStorage', bytes: new Uint8Array(data.buffer), elements: data.length, shape };
}

/** A checkpoint of these tensors under `state_dict`, as one zip archive. */
export function torchZip(tensors: Readonly<Record<string, StoredTensor>>): Buffer {
  return zip(torchEntries(tensors));
}

/** The same in the stream that torch.save wrote before 1.6. */
export function torchLegacy(tensors: Readonly<Record<string, StoredTensor>>): Buffer {
  const { root, storages } = pickledStateDict(tensors);
  const magic = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex');
  const machine = dict(Buffer.concat([text('little_endian'), Buffer.from([0x88])]));
  const keys = Buffer.concat([Buffer.from(']('), ...[...storages.keys()].map(text), Buffer.from('e')]);
  const values = [...storages.values()].flatMap(({ bytes, elements }) => {
    const count = Buffer.alloc(8);
    count.writeBigInt64LE(BigInt(elements));
    return [count, Buffer.from(bytes)];
  });
  return Buffer.concat([pickle(magic), pickle(integer(1001)), pickle(machine), pickle(root), pickle(keys), ...values]);
}

export function torchEntries(tensors: Readonly<Record<string, StoredTensor>>): ZipEntry[] {
  const { root, storages } = pickledStateDict(tensors);
  return [
    { name: 'archive/data.pkl', bytes: pickle(root) },
    { name: 'archive/byteorder', bytes: Buffer.from('little') },
    ...[...storages].map(([key, { bytes }]) => ({ name: `archive/data/${key}`, bytes })),
  ];
}

function pickledStateDict(tensors: Readonly<Record<string, StoredTensor>>): {
  readonly root: Buffer;
  readonly storages: ReadonlyMap<string, StoredTensor>;
} {
  const storages = new Map<string, StoredTensor>();
  const items = Object.entries(tensors).map(([name, tensor], index) => {
    const key = tensor.key ?? String(index);
    storages.set(key, tensor);
    return Buffer.concat([text(name), pickledTensor(tensor, key)]);
  });
  return { root: dict(text('state_dict'), dict(...items)), storages };
}

/** Protocol 2 around one value. */
export function pickle(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), value, Buffer.from('.')]);
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from('X\0\0\0\0');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export function dict(...items: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('}('), ...items, Buffer.from('u')]);
}

export function tuple(...items: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
}

export function integer(value: number): Buffer {
  const bytes = Buffer.from('J\0\0\0\0');
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** A call of `module.name` with the pickled tuple `args`. */
export function call(module: string, name: string, args: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`c${module}\n${name}\n`), args, Buffer.from('R')]);
}

function pickledTensor({ storage, elements, shape, strides, offset = 0 }: StoredTensor, key: string): Buffer {
  const id = tuple(text('storage'), Buffer.from(`ctorch\n${storage}\n`), text(key), text('cpu'), integer(elements));
  return call(
    'torch._utils',
    '_rebuild_tensor_v2',
    tuple(
      Buffer.concat([id, Buffer.from('Q')]),
      integer(offset),
      tuple(...shape.map(integer)),
      tuple(...(strides ?? rowMajor(shape)).map(integer)),
      Buffer.from([0x89]),
      call('collections', 'OrderedDict', tuple()),
    ),
  );
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** A zip archive of stored entries. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let position = 0;
  for (const { name, bytes } of entries) {
    const fields = commonFields(name, bytes);
    const head = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name)]);
    const directory = Buffer.alloc(46);
    directory.write('PK\x01\x02', 0, 'latin1');
    directory.writeUInt16LE(20, 4);
    fields.copy(directory, 6);
    directory.writeUInt32LE(position, 42);
    local.push(head, Buffer.from(bytes));
    central.push(directory, Buffer.from(name));
    position += head.length + bytes.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...local, directory, end]);
}

/** The 26 bytes that local headers and directory entries share: version, flags, method, time, checksum, sizes. */
function commonFields(name: string, bytes: Uint8Array): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt32LE(crc32(bytes), 10);
  fields.writeUInt32LE(bytes.length, 14);
  fields.writeUInt32LE(bytes.length, 18);
  fields.writeUInt16LE(Buffer.byteLength(name), 22);
  return fields;
}
